// Makes the client's files from examples/browser/src: the module novcomet.mjs, the plain script novcomet.js,
// and the script's types. With --check it writes nothing, but fails if a file is not what it would write.

import { build } from "esbuild";
import { readFile, writeFile } from "node:fs/promises";

const browser = new URL("../../browser/", import.meta.url);
/** @type {(name: string) => Promise<string>} */
const read = (name) => readFile(new URL(name, browser), "utf8");

const { version } = JSON.parse(await read("package.json"));
const head = `// NovComet ${version}: reports to a page at once that something happened on the server. MIT License.
// The client's README.md and novcomet.d.mts say how to use it. This file is made from src by "npm run build".
`;

const { outputFiles: [{ text }] } = await build({
  entryPoints: [new URL("src/index.js", browser).pathname],
  bundle: true, write: false, format: "esm", target: "es2020", charset: "utf8",
});
const exported = /export \{\n {2}NovComet,\n {2}NovComet as default\n\};\n$/;
if (!exported.test(text)) throw new Error("src/index.js must export NovComet, also as default");

// The paths of the sources would differ from machine to machine.
const code = text.replace(/^\/\/ .*\/src\//gm, "// src/");
const script = code.replace(exported, "").replace(/^(?=.)/gm, "  ").trimEnd();
const types = await read("novcomet.d.mts");

const files = {
  "LICENSE": await read("../../LICENSE"),
  "novcomet.mjs": `${head}\n${code}`,
  "novcomet.js": `${head}
var NovComet = (() => {
  "use strict";
${script}
  return NovComet;
})();

// For require.
if (typeof module === "object") module.exports = { __esModule: true, NovComet, default: NovComet };
`,
  "novcomet.d.ts": `${types}
declare global {
  /** The client, if a script tag without type="module" loads novcomet.js. */
  var NovComet: Client;
}
`,
};

for (const [name, made] of Object.entries(files)) {
  if (!process.argv.includes("--check")) await writeFile(new URL(name, browser), made);
  else if (await read(name).catch(() => "") !== made) {
    console.error(`examples/browser/${name} is stale: npm run --prefix examples/e2e/npm build`);
    process.exitCode = 1;
  }
}
