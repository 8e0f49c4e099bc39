// Bundles client.js for the page of the development server, with the licences of what is in it.
//
// node build.mjs [FOLDER]: writes better-auth-client.js and better-auth-client.LICENSE.txt. The same
// packages give the same bytes; tests/integration/test_welcome.py builds them again and compares.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";

const here = import.meta.dirname;
const folder = process.argv[2] ?? join(here, "../../app/devserver/static");

const manifest = (name) =>
  JSON.parse(readFileSync(join(here, "node_modules", name, "package.json"), "utf8"));

const { version } = manifest("better-auth");
const { metafile, outputFiles } = await build({
  absWorkingDir: here,
  entryPoints: ["client.js"],
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  legalComments: "none",
  metafile: true,
  write: false,
  outfile: "better-auth-client.js",
  define: { VERSION: JSON.stringify(version) },
  banner: { js: `/*! better-auth/client ${version}, MIT; see better-auth-client.LICENSE.txt */` },
});

// every package of which something is left in the bundle
const [{ inputs }] = Object.values(metafile.outputs);
const packages = new Set();
for (const [path, { bytesInOutput }] of Object.entries(inputs)) {
  const name = path.match(/.*node_modules\/((?:@[^/]+\/)?[^/]+)/)?.[1];
  if (name && bytesInOutput) packages.add(name);
}

/** The licence of a package: its file, or its name where the package brings no file. */
function licence(name) {
  const { license, version } = manifest(name);
  const root = join(here, "node_modules", name);
  const file = readdirSync(root).find((entry) => /^licen[cs]e/i.test(entry));
  const text = file ? readFileSync(join(root, file), "utf8").trim() : "";
  return `${name} ${version}: ${license}\n${text && `\n${text}\n`}`;
}

const line = "-".repeat(80);
const notice = `better-auth-client.js holds parts of these packages.\n`;
const licences = [...packages].sort().map(licence);
writeFileSync(join(folder, "better-auth-client.js"), outputFiles[0].contents);
writeFileSync(
  join(folder, "better-auth-client.LICENSE.txt"),
  [notice, ...licences].join(`\n${line}\n\n`),
);
