import { instance } from '@viz-js/viz';

/**
 * Draws Graphviz' language. The same text gives the same picture everywhere, since Graphviz comes along as WebAssembly
 * with metrics of its own for the fonts.
 */
export async function toSvg(dot: string, title: string): Promise<string> {
  const viz = await instance();
  const drawn = viz.renderString(dot, { format: 'svg', engine: 'dot' });
  const svg = drawn
    .slice(drawn.indexOf('<svg'))
    // Names of nodes and arrows as tool tips, and comments: noise in a diff.
    .replaceAll(/<!--[\s\S]*?-->\n?/g, '')
    .replaceAll(/<title>[\s\S]*?<\/title>\n?/g, '')
    .replaceAll(/<polygon fill="transparent"[^>]*\/>\n?/g, '');
  const opened = svg.indexOf('>') + 1;
  return `${svg.slice(0, opened)}\n<title>${title}</title>\n<style>${style}</style>${svg.slice(opened)}`;
}

/** For both kinds of paper: the viewer's preference decides, also where the picture is an `<img>`. */
const style = `
text { fill: #1f2328; }
.state path, .state polygon { fill: #ddf4ff; stroke: #0969da; stroke-width: 1.4; }
.end path, .end polygon { fill: #eaeef2; stroke: #59636e; stroke-width: 1.4; }
.start ellipse { fill: #59636e; stroke: none; }
.edge path { stroke: #59636e; stroke-width: 1.2; }
.edge polygon { fill: #59636e; stroke: #59636e; }
.frame path, .frame polygon { fill: none; stroke: #59636e; stroke-dasharray: 4 3; }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc; }
  .state path, .state polygon { fill: #0c2d6b; stroke: #58a6ff; }
  .end path, .end polygon { fill: #2a313c; stroke: #9198a1; }
  .start ellipse { fill: #9198a1; }
  .edge path { stroke: #9198a1; }
  .edge polygon { fill: #9198a1; stroke: #9198a1; }
  .frame path, .frame polygon { stroke: #9198a1; }
}
`;
