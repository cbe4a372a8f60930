// @ts-check
import js from "@eslint/js"
import { defineConfig } from "eslint/config"
import tseslint from "typescript-eslint"

const ambient = "The core is given the time, and asks for nothing: pass it in, or move this out of src/protocol."

export default defineConfig(
  { ignores: ["dist/", "coverage/", "reports/", ".stryker-tmp/", "bench/.dist/", "bench/dist*/"] },
  js.configs.recommended,
  tseslint.configs.recommendedTypeChecked,
  {
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname }
    },
    rules: {
      eqeqeq: "error",
      // An Effect.gen body may have nothing to yield yet still be the clearest way to defer.
      "require-yield": "off",
      "@typescript-eslint/consistent-type-imports": "error",
      "@typescript-eslint/no-import-type-side-effects": "error",
      "@typescript-eslint/no-non-null-assertion": "error",
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_", varsIgnorePattern: "^_" }],
      "@typescript-eslint/switch-exhaustiveness-check": ["error", { considerDefaultExhaustiveForUnions: true }]
    }
  },
  {
    files: ["src/**/*.ts"],
    rules: {
      "max-lines": ["error", 400],
      "no-console": "error",
      "@typescript-eslint/no-unsafe-type-assertion": "error",
      "no-restricted-syntax": ["error", { selector: "ExportDefaultDeclaration", message: "Name every export." }]
    }
  },
  {
    files: ["src/protocol/**/*.ts"],
    rules: {
      "no-restricted-globals": [
        "error",
        ...["Buffer", "Date", "crypto", "fetch", "performance", "process", "queueMicrotask"].map((name) => ({
          name,
          message: ambient
        })),
        ...["setImmediate", "setInterval", "setTimeout"].map((name) => ({ name, message: ambient }))
      ],
      "no-restricted-properties": ["error", { object: "Math", property: "random", message: ambient }]
    }
  },
  {
    files: ["**/*.js"],
    extends: [tseslint.configs.disableTypeChecked]
  }
)
