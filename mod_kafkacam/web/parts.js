/* Splits a wall stream (docs/WALL.md) into its parts. Strict and bounded: where a part begins and ends
 * must be as agreed, or it throws, and the caller starts over with a fresh connection. What a part
 * says of itself costs that part alone. */
const HEAD_MAX = 2048;
const BODY_MAX = 16 << 20;
const CR = 13, LF = 10;

/* null: no number, or above max. */
function number(text, max) {
  const value = /^\d{1,16}$/.test(text ?? '') ? Number(text) : NaN;
  return value <= max ? value : null;
}

function parseHead(text) {
  const lines = text.split('\r\n');
  if (lines[0] !== '--frame') throw new Error('the stream lost its boundary');
  const fields = {};
  for (const line of lines.slice(1)) {
    const colon = line.indexOf(': ');
    if (colon < 1) throw new Error('the stream has a broken header');
    fields[line.slice(0, colon).toLowerCase()] = line.slice(colon + 2);
  }
  const part = { type: fields['content-type'], size: number(fields['content-length'], BODY_MAX) };
  if (part.size === null) throw new Error('the stream has a part without a length');
  if (part.type === 'image/jpeg') {
    part.cam = number(fields['x-camera'], 99999);
    part.us = number(fields['x-timestamp'], Number.MAX_SAFE_INTEGER);
  }
  part.good = part.type === 'application/json' || (part.type === 'image/jpeg' && part.cam !== null && part.us !== null);
  return part;
}

export class Parts {
  #take;
  #head = new Uint8Array(HEAD_MAX);
  #filled = 0;      /* of the head, or of the body once part is set */
  #part = null;

  /* take(part): {type, cam, us, body}; body is the receiver's. Parts that make no sense are passed over. */
  constructor(take) { this.#take = take; }

  push(chunk) {
    let at = 0;
    while (at < chunk.length) at = this.#part ? this.#readBody(chunk, at) : this.#readHead(chunk, at);
  }

  #readHead(chunk, at) {
    const head = this.#head;
    while (at < chunk.length) {
      if (this.#filled === HEAD_MAX) throw new Error('the stream has an endless header');
      head[this.#filled++] = chunk[at++];
      const n = this.#filled;
      if (head[n - 1] === LF && n > 4 && head[n - 2] === CR && head[n - 3] === LF && head[n - 4] === CR) {
        this.#part = parseHead(new TextDecoder().decode(head.subarray(0, n - 4)));
        this.#part.body = new Uint8Array(this.#part.size + 2);      /* with its closing CRLF */
        this.#filled = 0;
        break;
      }
    }
    return at;
  }

  #readBody(chunk, at) {
    const part = this.#part, body = part.body;
    const piece = chunk.subarray(at, at + body.length - this.#filled);
    body.set(piece, this.#filled);
    this.#filled += piece.length;
    if (this.#filled === body.length) {
      if (body[part.size] !== CR || body[part.size + 1] !== LF) throw new Error('the stream has a part of the wrong size');
      part.body = body.subarray(0, part.size);
      this.#part = null;
      this.#filled = 0;
      if (part.good) this.#take(part);
    }
    return at + piece.length;
  }
}

/* [width, height] out of a JPEG's frame header, null if it has none. */
export function jpegSize(b) {
  let at = 2;
  if (b[0] !== 0xff || b[1] !== 0xd8) return null;
  while (at + 9 <= b.length && b[at] === 0xff) {
    const mark = b[at + 1];
    if (mark >= 0xc0 && mark <= 0xcf && mark !== 0xc4 && mark !== 0xc8 && mark !== 0xcc) {
      const size = [b[at + 7] << 8 | b[at + 8], b[at + 5] << 8 | b[at + 6]];
      return size[0] && size[1] ? size : null;
    }
    at += mark === 0xff ? 1 : 2 + (b[at + 2] << 8 | b[at + 3]);
  }
  return null;
}
