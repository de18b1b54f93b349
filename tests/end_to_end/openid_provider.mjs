// A provider that is not ours (oidc-provider), for openid_test.py. One line of JSON in with what it is to be; a line out
// once it listens. Everybody who gives a name is signed in: who may come in here is not what is tested.
import { generateKeyPairSync } from "node:crypto";
import { createRequire } from "node:module";
import { createServer } from "node:https";
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const asked = JSON.parse(readFileSync(0, "utf8"));
const { resolve } = createRequire(`${asked.modules}/`);
const { default: Provider } = await import(pathToFileURL(resolve("oidc-provider")));

const key = (kind, options, id) =>
  ({ ...generateKeyPairSync(kind, options).privateKey.export({ format: "jwk" }), kid: id, use: "sig" });
const keys = [key("rsa", { modulusLength: 2048 }, "r1"), key("ec", { namedCurve: "P-256" }, "e1")];

const provider = new Provider(`https://127.0.0.1:${asked.port}`, {
  clients: [{
    client_id: "carehub", client_secret: asked.secret, redirect_uris: [asked.redirect],
    token_endpoint_auth_method: "client_secret_basic", id_token_signed_response_alg: asked.algorithm,
  }],
  claims: { openid: ["sub"], profile: ["name", "roles"] },
  conformIdTokenClaims: asked.in_user_info,
  pkce: { required: () => true },
  features: { devInteractions: { enabled: true } },
  jwks: { keys },
  async findAccount(_, id) {
    return { accountId: id, claims: async () => ({ sub: id, name: `${id} of the trust`, roles: asked.roles[id] ?? [] }) };
  },
});
createServer({ key: readFileSync(asked.key_file), cert: readFileSync(asked.certificate_file) }, provider.callback())
  .listen(asked.port, "127.0.0.1", () => process.stdout.write("listening\n"));
