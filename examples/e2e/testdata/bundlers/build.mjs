// Builds page.js with each bundler and in each form, and the other pages with esbuild, into the folder built.
import * as esbuild from "esbuild";
import resolve from "@rollup/plugin-node-resolve";
import { rollup } from "rollup";
import * as vite from "vite";
import * as vite5 from "vite5";
import webpack from "webpack";

for (const format of ["iife", "cjs", "esm"]) {
  await esbuild.build({
    entryPoints: ["page.js"], bundle: true, format, target: "es2020", minify: true,
    outfile: `built/esbuild-${format}.js`,
  });
}

const bundle = await rollup({ input: "page.js", plugins: [resolve({ browser: true })] });
for (const format of ["iife", "cjs", "es"]) await bundle.write({ format, file: `built/rollup-${format}.js` });

for (const [name, { build }] of Object.entries({ vite, vite5 })) {
  await build({
    logLevel: "warn", configFile: false,
    build: { outDir: `built/${name}`, rollupOptions: { input: "page.js", output: { entryFileNames: "page.js" } } },
  });
}

await new Promise((done, fail) => {
  const output = { path: `${import.meta.dirname}/built`, filename: "webpack.js" };
  webpack({ mode: "production", entry: "./page.js", output }, (error, stats) => {
    if (error || stats.hasErrors() || stats.hasWarnings()) fail(error ?? new Error(stats.toString()));
    else done();
  });
});

await esbuild.build({
  entryPoints: ["worker.js"], bundle: true, format: "iife", target: "es2020", outfile: "built/worker.js",
});
await esbuild.build({
  entryPoints: ["react.jsx"], bundle: true, jsx: "automatic", outfile: "built/react.js",
  define: { "process.env.NODE_ENV": '"development"' }, // in which StrictMode has an effect
});
