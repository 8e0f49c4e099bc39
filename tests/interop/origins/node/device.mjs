// Stands in for the modules of a device, which React Native has and Node does not.
export const AppState = { addEventListener: () => ({ remove() {} }) };
export const Platform = { OS: "ios" };
export const addNetworkStateListener = () => ({ remove() {} });
export const createURL = (path, { scheme } = { scheme: "myapp" }) => `${scheme}://${path}`;
export default {};

const kept = new Map();
export const getItem = (name) => kept.get(name) ?? null;
export const setItem = (name, value) => kept.set(name, value);
export const getItemAsync = async (name) => getItem(name);
export const setItemAsync = async (name, value) => setItem(name, value);
