import js from "@eslint/js";

const browser = Object.fromEntries([
  "AbortController", "Blob", "BroadcastChannel", "Option", "TextDecoder", "URL", "URLSearchParams",
  "clearInterval", "clearTimeout", "document", "fetch", "getSelection", "history", "localStorage", "location",
  "navigator", "performance", "queueMicrotask", "setInterval", "setTimeout",
].map((name) => [name, "readonly"]));
const node = Object.fromEntries(["URL", "console", "process"].map((name) => [name, "readonly"]));

export default [
  { ignores: ["**/*.d.{ts,mts}", "browser/novcomet.{js,mjs}"] }, // made, or checked by tsc
  js.configs.recommended,
  {
    languageOptions: { ecmaVersion: 2022, sourceType: "module", globals: browser },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      "eqeqeq": "error",
      "no-implicit-globals": "error",
      "no-unused-expressions": ["error", { allowShortCircuit: true, allowTernary: false }],
      "no-shadow": "error",
      "prefer-const": ["error", { destructuring: "all" }],
      "curly": ["error", "multi-line"],
    },
  },
  { files: ["e2e/npm/*.js"], languageOptions: { globals: node } },
];
