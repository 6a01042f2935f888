// A module hook that serves one module from memory. Plain JavaScript: it runs in the loader's thread, before tsx.
let patched = { url: '', source: '' };

export function initialize(data) {
  patched = data;
}

export async function load(url, context, nextLoad) {
  // tsx marks what it loads with a query.
  if (url.split('?')[0] !== patched.url) return nextLoad(url, context);
  return { format: 'module', source: patched.source, shortCircuit: true };
}
