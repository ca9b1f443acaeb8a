// A sign-in by the npm package oidc-provider, as an organisation would run it. node node_provider.mjs MODULES SETTINGS
import { createServer } from "node:http";
import { pathToFileURL } from "node:url";

const [modules, told] = process.argv.slice(2);
const { Provider } = await import(pathToFileURL(`${modules}/oidc-provider/lib/index.js`));
const { port, clients, people, claims, inToken } = JSON.parse(told);

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients,
  claims,
  scopes: ["openid", "groups"],
  conformIdTokenClaims: !inToken, // true: the token says who, and userinfo the rest
  cookies: { keys: ["of no use outside this test"] },
  features: { devInteractions: { enabled: true }, backchannelLogout: { enabled: true } },
  pkce: { required: () => true },
  fetch: (url, { dispatcher, ...rest }) => fetch(url, rest), // else it asks nobody on this very machine
  findAccount: (_, id) => people[id] && { accountId: id, claims: () => ({ sub: id, ...people[id] }) },
});
provider.on("backchannel.error", (_, fault) => console.log(`backchannel ${fault.message}`));
createServer(provider.callback()).listen(port, "127.0.0.1", () => console.log("ready"));
