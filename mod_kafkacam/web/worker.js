/* The line to the server, in a worker: reads the one stream of all cameras, splits it, decodes.
 *
 * Nothing piles up: a camera has at most one picture that waits to be decoded (the newest), and
 * one that is being decoded or waits to be painted. The stream itself is always read at once, so
 * that no old pictures gather in the browser; if the line is slow the server skips, not we. */
import { Parts, jpegSize } from './parts.js';

const SILENCE_MS = 25000;         /* the server says something every 10 s at least */
const GOOD_MS = 10000;            /* a line that held so long was a good one: the next is tried at once */
const PIXELS_MAX = 64e6;          /* a small file may claim to be a huge picture */
const DECODERS = 4;               /* at once */

const slots = new Map();          /* by camera: {next, busy, width} */
const ready = new Set();          /* slots that could be decoded now, in the order they asked */
let decoding = 0;
let line = null;                  /* AbortController of the open stream */
let tries = 0;
let serial = 0;                   /* the page's number of the stream that it wants */

const slotOf = cam => {
  if (!slots.has(cam)) slots.set(cam, { cam, next: null, busy: false, width: 1 });
  return slots.get(cam);
};

function offer(slot) {
  if (slot.next && !slot.busy && slot.width) ready.add(slot);
  while (decoding < DECODERS && ready.size) {
    const [first] = ready;
    ready.delete(first);
    decode(first);
  }
}

async function decode(slot) {
  const { us, body } = slot.next, generation = line;
  slot.next = null;
  slot.busy = true;
  decoding++;
  try {
    const size = jpegSize(body);
    if (!size || size[0] * size[1] > PIXELS_MAX) throw new Error('no picture');
    /* A wall of big pictures in small tiles would hold hundreds of MB of pixels nobody sees. */
    const options = size[0] > 1.5 * slot.width && slot.width > 1
      ? { resizeWidth: slot.width, resizeQuality: 'medium' } : {};
    const bitmap = await createImageBitmap(new Blob([body], { type: 'image/jpeg' }), options);
    if (generation === line) {
      postMessage({ frame: slot.cam, us, width: size[0], height: size[1], bytes: body.length, bitmap }, [bitmap]);
    } else {
      bitmap.close();
      slot.busy = false;
    }
  } catch {
    slot.busy = false;
    postMessage({ damaged: slot.cam });
  }
  decoding--;
  offer(slot);
}

function take(part) {
  if (part.type === 'image/jpeg') {
    const slot = slotOf(part.cam);
    slot.next = part;
    offer(slot);
    return;
  }
  let state = null;
  try {
    state = JSON.parse(new TextDecoder().decode(part.body));
  } catch { /* costs this part, not the line */ }
  if (Number.isInteger(state?.camera)) postMessage({ state, serial });
}

/* Why a stream did not open: status is httpd's answer. */
class Refused extends Error {
  constructor(answer) {
    super(`the server says ${answer.status}`);
    this.status = answer.status;
    this.after = Number(answer.headers.get('Retry-After')) || 0;
  }
}

/* once: the server ends the stream when it has shown what was asked for. */
async function read(url, mine, once) {
  const asked = Date.now();
  let silence = setTimeout(() => mine.abort(), SILENCE_MS);
  try {
    const answer = await fetch(url, { signal: mine.signal, cache: 'no-store' });
    if (!answer.ok) throw new Refused(answer);
    if (!/^multipart\/mixed/.test(answer.headers.get('Content-Type'))) throw new Error('this is no stream');
    const now = Number(answer.headers.get('X-Server-Time')) / 1000;
    postMessage({ open: true, ahead: now ? now - (asked + Date.now()) / 2 : null });
    const parts = new Parts(take);
    const reader = answer.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done && once) return;
      if (done) throw new Error('the server ended the stream');
      clearTimeout(silence);
      silence = setTimeout(() => mine.abort(), SILENCE_MS);
      parts.push(value);
    }
  } finally {
    clearTimeout(silence);
    mine.abort();
  }
}

async function keep(url, once) {
  const mine = line = new AbortController(), begun = performance.now();
  forget();
  try {
    await read(url, mine, once);
    if (line === mine) postMessage({ ended: true });
  } catch (error) {
    if (line !== mine) return;                    /* closed on purpose, or another one is open */
    if (performance.now() - begun > GOOD_MS) tries = 0;
    const wait = Math.max(1000 * (error.after || 0), (0.5 + Math.random()) * Math.min(1000 * 2 ** tries, 15000));
    tries++;
    postMessage({ lost: error.message, status: error.status ?? 0, wait });
    setTimeout(() => { if (line === mine) keep(url, once); }, wait);
  }
}

/* What is painted from the old stream is still on its way: busy stays until the page says so. */
function forget() {
  ready.clear();
  for (const slot of slots.values()) slot.next = null;
}

onmessage = ({ data }) => {
  if ('url' in data) {
    const old = line;
    line = null;
    old?.abort();
    tries = 0;
    serial = data.serial;
    forget();
    if (data.url) keep(data.url, data.once);
  } else if ('painted' in data) {
    const slot = slotOf(data.painted);
    slot.busy = false;
    offer(slot);
  } else if ('widths' in data) {                  /* device pixels by camera, 0: out of sight */
    for (const cam of slots.keys()) if (!data.widths.has(cam)) slots.delete(cam);
    for (const [cam, width] of data.widths) {
      slotOf(cam).width = width;
      offer(slotOf(cam));
    }
  }
};
