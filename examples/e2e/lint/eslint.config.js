import js from "@eslint/js";

const browser = Object.fromEntries([
  "AbortController", "BroadcastChannel", "Option", "Request", "TextDecoder", "URL", "URLSearchParams",
  "clearInterval", "clearTimeout", "document", "fetch", "getSelection", "history", "localStorage", "location",
  "navigator", "queueMicrotask", "setInterval", "setTimeout",
].map((name) => [name, "readonly"]));

export default [
  { ignores: ["e2e/lint/node_modules", "**/*.d.ts"] }, // tsc checks them
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
];
