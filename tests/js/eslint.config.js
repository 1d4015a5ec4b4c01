// Lints the page's modules and their tests: npm install && npm run lint, in this folder.
import js from "@eslint/js";
import globals from "globals";

export default [
  js.configs.recommended,
  {
    rules: {
      eqeqeq: "error",
      "no-var": "error",
      "prefer-const": "error",
      "no-shadow": "error",
      "no-implicit-globals": "error",
      "no-unneeded-ternary": "error",
      "no-unused-expressions": "error",
      "no-constant-condition": ["error", { checkLoops: "allExceptWhileTrue" }],
      "max-len": ["error", { code: 100, ignoreUrls: true }],
      complexity: ["error", 10],
    },
  },
  { files: ["fer_cbam/**", "web/**"], languageOptions: { globals: globals.browser } },
  { files: ["tests/**"], languageOptions: { globals: globals.node } },
];
