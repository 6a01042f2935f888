/** Text that stays text in HTML and SVG, whatever a history holds; what XML cannot hold is shown as a box. */
export function escapeMarkup(text: string): string {
  let escaped = '';
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    const isControl = code < 0x20 && character !== '\n' && character !== '\t';
    const isLoneSurrogate = code >= 0xd800 && code <= 0xdfff;
    escaped += isControl || isLoneSurrogate ? '\u25a1' : (entities.get(character) ?? character);
  }
  return escaped;
}

const entities = new Map([
  ['&', '&amp;'],
  ['<', '&lt;'],
  ['>', '&gt;'],
  ['"', '&quot;'],
  ["'", '&#39;'],
]);
