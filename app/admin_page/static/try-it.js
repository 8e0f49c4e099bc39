// A button with data-copy copies the sample beside it. Without it where a page may not write to the
// clipboard, which takes https or this machine.

const copied = document.getElementById("copied");

for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) break;
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(button.parentElement.querySelector("code").textContent);
      copied.textContent = "Copied.";
      button.textContent = "Copied";
    } catch {
      copied.textContent = "The browser does not let this page copy.";
    }
    setTimeout(() => {
      button.textContent = "Copy";
      copied.textContent = "";
    }, 2000);
  });
}
