/* The wall: which cameras, where they stand, which one is large, what is said in words. The line
 * to the server lives in worker.js, one camera's canvas in tile.js. */
import { arrange } from './layout.js';
import { Past, parseMoment } from './past.js';
import { Tile } from './tile.js';

const LIST_MS = 10000;            /* how often cameras may come and go */
const AGAIN_MS = 2000;            /* looked at again where a list was not all, or not yet */
const UNTOLD_MS = 15000;          /* a stream that has not told a camera's state by then does not know it */
const SMALL_PX = 480;             /* tiles up to here are content with the small layer */
const LEAST_PX = 112;             /* narrower tiles are scrolled to instead */

const $ = id => document.getElementById(id);
const data = document.documentElement.dataset;
const address = name => {
  const url = new URL(data[name], location.href);
  url.username = url.password = '';               /* fetch() refuses http://me:secret@host/cameras */
  return url;
};
const base = address('base'), cams = data.cams ? address('cams') : null, list = address('list');
const single = data.single !== undefined;
const tiles = new Map();          /* by camera, in the order of the list */
let large = null;                 /* camera number, null: the wall */
let current = null;               /* roving focus */
let small = false;                /* the open stream is of the small layer */
let serial = 0;                   /* of the stream that was asked for last */
let opened = null;                /* the open stream's URL and cameras, as text */
let ahead = 0;                    /* the server's clock against ours, ms */
let tag = null, news = null;      /* of the list: its ETag, its last content */
let polling = 0, retry = 0;
let streaming = 0;                /* since when the stream is open, 0: it is not */
let untoldMs = UNTOLD_MS;

/* The address bar: what is there can be bookmarked. */

const query = () => new URLSearchParams(location.search);

function go(changes, push) {
  const wanted = query();
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) wanted.delete(name);
    else wanted.set(name, value);
  }
  const text = wanted.toString();
  history[push ? 'pushState' : 'replaceState'](null, '', location.pathname + (text && `?${text}`));
  follow();
}

function follow() {
  const focus = query().get('focus');
  const wanted = single ? tiles.keys().next().value ?? null : tiles.has(Number(focus)) && focus !== null ? Number(focus) : null;
  if (wanted === large) return place();
  const before = large;
  large = wanted;
  current = large ?? before ?? current;
  place();
  if (before !== null || document.activeElement !== document.body) tiles.get(current)?.face.focus();
}

/* Where everything stands. */

function place() {
  const shown = large === null ? [...tiles.values()] : [tiles.get(large)];
  const stage = $('stage');
  const { boxes, height } = arrange(shown.map(t => t.aspect), stage.clientWidth, stage.clientHeight,
    { cols: large === null ? Number(query().get('cols')) || 0 : 0, least: Math.min(LEAST_PX, stage.clientWidth / 4) });
  $('wall').style.height = `${Math.max(height, shown.length ? stage.clientHeight : 0)}px`;
  for (const tile of tiles.values()) {
    tile.element.hidden = !shown.includes(tile);
    tile.element.classList.toggle('large', tile.cam === large);
    tile.face.tabIndex = -1;
    tile.face.setAttribute('aria-expanded', tile.cam === large);
  }
  shown.forEach((tile, i) => tile.place(boxes[i]));
  if (!tiles.has(current)) current = tiles.keys().next().value ?? null;
  if (tiles.has(large ?? current)) tiles.get(large ?? current).face.tabIndex = 0;
  describe();
  sizes();
  past.focusChanged();
  stream();
}

/* Tells the worker how many pixels each tile has; what is scrolled out of sight is not decoded. */
function sizes() {
  const stage = $('stage'), top = stage.scrollTop - 100, bottom = top + stage.clientHeight + 200;
  const widths = new Map();
  for (const tile of tiles.values()) {
    const box = tile.box;
    const seen = !tile.element.hidden && box && box.y < bottom && box.y + box.h > top;
    widths.set(tile.cam, seen ? Math.ceil(box.w * devicePixelRatio) : 0);
  }
  worker.postMessage({ widths });
}

function describe() {
  const tile = tiles.get(large);
  const live = [...tiles.values()].filter(t => t.live).length;
  $('title').textContent = document.title = tile ? tile.name : data.title;
  $('count').textContent = tile || !tiles.size || past.at !== null ? '' : live === tiles.size ? `${live} live` : `${live} of ${tiles.size} live`;
  $('back').hidden = !tile || single;
  $('save').hidden = !tile;
  $('open-chooser').hidden = single;
  $('tools').hidden = false;
}

/* The stream. */

const worker = new Worker(new URL('worker.js', import.meta.url), { type: 'module' });

function wantsSmall() {
  const asked = query().get('small'), shown = [...tiles.values()];
  if (asked !== null) return asked === '1';
  if (large !== null || single || !shown.every(t => t.state.small)) return false;
  const widest = Math.max(...shown.map(t => t.box?.w ?? 0)) * devicePixelRatio;
  return widest <= (small ? SMALL_PX * 1.2 : SMALL_PX);       /* not back and forth while resizing */
}

/* Opens what fits the moment: the wall or the large camera, nothing while nobody looks. */
function stream() {
  const visible = document.visibilityState !== 'hidden' && tiles.size > 0;
  small = wantsSmall();
  const url = large === null || single ? address('stream') : new URL(`${large}-${large}/stream`, base);
  for (const name of ['fps']) if (query().has(name)) url.searchParams.set(name, query().get(name));
  if (small) url.searchParams.set('small', '1');
  const { entries, once } = past.query();
  for (const [name, value] of Object.entries(entries)) url.searchParams.set(name, value);
  for (const tile of tiles.values()) tile.look(past.at !== null);
  const wanted = visible ? `${url} ${large ?? [...tiles.keys()]}` : null;
  if (wanted === opened) return;
  opened = wanted;
  untold();
  lost(null);
  worker.postMessage({ url: visible ? url.href : null, once, serial: ++serial });
}

worker.onmessage = ({ data: it }) => {
  const cam = it.frame ?? it.damaged ?? it.state?.camera;
  const tile = tiles.get(cam);
  if ('bitmap' in it) {
    if (!tile) {
      it.bitmap.close();
      worker.postMessage({ painted: cam });
    } else {
      if (tile.offer(it)) later(place);
      fresh.add(tile);
      nextPaint();
    }
  } else if ('damaged' in it) {
    tile?.damaged();
  } else if (it.ended) {
    past.ended();
  } else if (it.state) {
    if (past.at !== null && !past.paused && it.serial === serial) past.live();   /* it has reached now */
    if (tile?.update({ ...tile.state, ...it.state })) changed.add(tile);
    if (tile) tile.told = true;
    later(describe);
  } else if (it.open) {
    streaming = performance.now();
    if (it.ahead !== null) ahead = it.ahead;
    lost(null);
  } else if ('lost' in it) {
    untold();
    lost(it);
  }
};
/* Whatever process of the server answers for the list may know less than the one with the stream,
 * which watches the cameras: while the stream tells a camera's state, the list does not count. */
function untold() {
  streaming = 0;
  for (const tile of tiles.values()) tile.told = false;
}

/* The process that answers for the stream may not have known a camera yet when it was opened, and a
 * stream keeps its cameras: another one is opened, more and more rarely if that does not help. */
function streamAnew() {
  const shown = large === null ? [...tiles.values()] : [tiles.get(large)];
  if (!streaming || performance.now() - streaming < untoldMs || shown.every(tile => !tile || tile.told)) return;
  untoldMs = Math.min(untoldMs * 2, 600000);
  opened = null;
  stream();
}

worker.onerror = () => trouble('This browser cannot show the wall');

const fresh = new Set();          /* tiles with a picture to paint */
let painting = false;

function nextPaint() {
  if (painting) return;
  painting = true;
  requestAnimationFrame(() => {
    painting = false;
    for (const tile of fresh) {
      tile.paint();
      if (tile.shown) past.shown(tile.shown.us);
      worker.postMessage({ painted: tile.cam });
    }
    fresh.clear();
  });
}

const soon = new Set();
function later(task) {            /* once, however often it was asked for */
  if (!soon.size) setTimeout(() => { const tasks = [...soon]; soon.clear(); tasks.forEach(t => t()); }, 50);
  soon.add(task);
}

/* The past. */

const past = new Past({
  camera: () => large ?? current ?? tiles.keys().next().value ?? null,
  cams,
  now: () => Date.now() + ahead,
  clipOf: () => large !== null || single ? new URL(`${large ?? tiles.keys().next().value}.mkv`, cams)
    : new URL(`${selection([...tiles.keys()])}.zip`, base),
  again: () => { opened = null; stream(); },
  address: at => {
    const wanted = query();
    if (at === null) wanted.delete('at');
    else wanted.set('at', at);
    const text = wanted.toString();
    history.replaceState(null, '', location.pathname + (text && `?${text}`));
  },
  say,
});
past.at = parseMoment(query().get('at'));         /* an address that a colleague sent */

/* Words. */

function trouble(text) {
  $('trouble').hidden = !text;
  $('trouble').textContent = text;
}

/* In the server's words, which name the broker as it calls itself: often nobody else knows it so. */
function kafkaTrouble() {
  if (news?.kafka === false) return `Kafka is away${news.trouble ? `: ${news.trouble}` : ''}. What you see stands still`;
  return news?.trouble ? `Some cameras cannot be fetched: ${news.trouble}` : '';
}

/* The line is down (it: worker's message), or it is up (null). */
function lost(it) {
  const was = document.body.classList.contains('lost');
  clearInterval(retry);
  document.body.classList.toggle('lost', it !== null);
  if (!it) {
    trouble(kafkaTrouble());
    if (was) say('Connected again');
    return;
  }
  const why = it.status === 401 || it.status === 403 ? 'You may not see these cameras any more'
    : it.status === 503 ? 'The server has too many viewers' : 'Connection lost';
  const until = Date.now() + it.wait;
  const count = () => trouble(`${why}. Trying again in ${Math.max(1, Math.ceil((until - Date.now()) / 1000))} s`);
  count();
  retry = setInterval(count, 1000);
  if (!was) say(why);
}

function say(text) { $('say').textContent = text; }

const changed = new Set();        /* tiles that went live or offline since the last word */

function tellChanges() {
  if (!changed.size) return;
  const all = [...changed];
  changed.clear();
  if (all.length > 3) say(`${all.length} cameras changed, ${$('count').textContent}`);
  else say(all.map(t => `${t.name} is ${t.live ? 'live' : 'offline'}`).join('. '));
}

const EMPTY = {
  none: ['No cameras yet', 'The table of cameras is empty. Add one, and it appears here by itself. If there are some, the log of kafkacam-producer says what is wrong.'],
  producer: ['No producer has reached this Kafka', 'No camera ever had a state here. Look at the log of kafkacam-producer: whether it runs, reaches its database and this Kafka, and has a camera in its table.'],
  forbidden: ['You may not see any camera', 'There are cameras, but none that you may look at. Sign in with another name, or ask the administrator.'],
  kafka: ['Kafka is away', 'The server cannot reach Kafka, so it does not know its cameras. This page goes on by itself when it can.'],
  selection: ['None of these cameras is here', 'They do not exist, or you may not see them.'],
  starting: ['One moment', 'The server has just begun and asks Kafka which cameras there are. This page goes on by itself.'],
  away: ['The server does not answer', 'This page goes on by itself when it does.'],
  refused: ['You may not see this', 'Sign in with another name, or ask the administrator.'],
};

function showEmpty(reason) {
  const words = tiles.size ? null : EMPTY[reason];
  $('empty').hidden = !words;
  if (!words) return;
  [$('empty-title').textContent, $('empty-text').textContent] = words;
  if (reason === 'kafka' && news?.trouble) $('empty-text').textContent += ` (${news.trouble})`;
  $('empty-link').hidden = reason !== 'selection' || single;
  $('empty-link').href = wallOf(null);
  describe();
}

/* Which cameras there are. */

async function poll() {
  clearTimeout(polling);
  if (document.visibilityState === 'hidden') return;
  let next = LIST_MS;
  try {
    const answer = await fetch(list, { cache: 'no-store', headers: tag ? { 'If-None-Match': tag } : {}, signal: AbortSignal.timeout(LIST_MS) });
    if (answer.status === 200) {
      const body = await answer.json();
      tag = answer.headers.get('ETag');
      known(single ? { cameras: [body], page: body.page, kafka: true } : body);
    } else if (answer.status === 401 || answer.status === 403) {
      tag = null;
      known({ cameras: [], reason: 'refused', page: data.page });
    } else if (answer.status === 404) {
      tag = null;
      known({ cameras: [], reason: 'selection', page: data.page });
    } else if (answer.status === 503) {
      showEmpty('starting');
      next = AGAIN_MS;
    } else if (answer.status !== 304) {
      throw new Error(`the server says ${answer.status}`);
    }
  } catch {
    showEmpty('away');
  }
  if ([...tiles.values()].some(tile => tile.missed)) {
    tag = null;                                   /* the same list again is the second word */
    next = AGAIN_MS;
  }
  streamAnew();
  polling = setTimeout(poll, next * (0.9 + 0.2 * Math.random()));
}

/* A camera goes when two lists in a row are without it: one may come from a process of the server that
 * has just begun and does not know all. What may not be seen any more goes at once. */
function leave(what) {
  const wanted = new Set(what.cameras.map(c => c.camera));
  const atOnce = what.reason === 'refused' || what.reason === 'forbidden';
  for (const [cam, tile] of tiles) {
    if (!wanted.has(cam) && (tile.missed || atOnce)) {
      tile.remove();
      tiles.delete(cam);
      fresh.delete(tile);
      changed.delete(tile);
    } else {
      tile.missed = !wanted.has(cam);
    }
  }
}

function known(what) {
  news = what;
  renew();
  leave(what);
  for (const camera of what.cameras) {
    const old = tiles.get(camera.camera) ?? new Tile(camera);
    if (!tiles.delete(camera.camera)) untoldMs = UNTOLD_MS;
    tiles.set(camera.camera, old);                /* the map keeps the list's order */
    if (old.update(old.told ? { ...old.state, small: camera.small } : camera)) changed.add(old);
  }
  const faces = [...tiles.values()].map(t => t.element);
  if (faces.some((face, i) => $('wall').children[i] !== face)) {
    const held = document.activeElement;
    $('wall').replaceChildren(...faces);
    if (held?.isConnected && held !== document.body) held.focus();
  }
  showEmpty(what.reason ?? 'none');
  if (!document.body.classList.contains('lost')) lost(null);
  past.offer(cams !== null && what.cameras.length > 0 && what.cameras.every(camera => camera.past));
  follow();
}

/* A wall screen runs for months: after an upgrade of the server it takes the new page by itself,
 * but not again and again where two versions stand behind one address. */
function renew() {
  if (!news.page || news.page === data.page) return;
  const last = Number(sessionStorage.getItem('renewed'));
  if (Date.now() - last < 600000) return;
  sessionStorage.setItem('renewed', Date.now());
  location.reload();
}

/* Choosing. */

/* "1-3,5", and "4-4" for one camera, since "4" would be the first four. */
function selection(numbers) {
  const parts = [], sorted = [...numbers].sort((a, b) => a - b);
  for (let i = 0; i < sorted.length; i++) {
    const first = sorted[i];
    while (sorted[i + 1] === sorted[i] + 1) i++;
    parts.push(first === sorted[i] ? `${first}` : `${first}-${sorted[i]}`);
  }
  return parts.length === 1 && !parts[0].includes('-') ? `${parts[0]}-${parts[0]}` : parts.join(',');
}

function wallOf(numbers) {
  const url = numbers ? new URL(selection(numbers), base) : new URL(base.href.replace(/(?<=[^/])\/$/, ''));
  const wanted = query();
  wanted.delete('focus');
  url.search = wanted;
  return url.href;
}

async function choose() {
  const answer = await fetch(address('all'), { cache: 'no-store' });
  if (!answer.ok) return;
  const { cameras } = await answer.json();
  $('choices').replaceChildren(...cameras.map(camera => {
    const item = document.createElement('li'), label = document.createElement('label');
    const box = document.createElement('input'), name = document.createElement('span');
    box.type = 'checkbox';
    box.value = camera.camera;
    box.checked = tiles.has(camera.camera);
    name.textContent = name.title = camera.name;
    name.dir = 'auto';
    label.append(box, name);
    item.append(label);
    return item;
  }));
  const cols = $('cols');
  while (cols.length < 13) cols.add(new Option(cols.length, cols.length));
  cols.value = query().get('cols') ?? '0';
  $('chooser').returnValue = '';
  $('chooser').showModal();
}

const boxes = () => [...$('choices').querySelectorAll('input')];
$('choose-all').onclick = () => boxes().forEach(box => { box.checked = true; });
$('choose-none').onclick = () => boxes().forEach(box => { box.checked = false; });
$('chooser').onclose = () => {
  if ($('chooser').returnValue !== 'show') return;
  const chosen = boxes().filter(box => box.checked).map(box => Number(box.value));
  const same = chosen.length === tiles.size && chosen.every(cam => tiles.has(cam));
  go({ cols: $('cols').value === '0' ? null : $('cols').value }, false);
  if (chosen.length && !same) location.assign(wallOf(chosen.length === boxes().length ? null : chosen));
};

/* Keys and clicks. */

function enlarge(cam) {
  if (single) return;
  go({ focus: cam }, large === null || cam === null);
}

function save(cam) {
  if (cam === null || !cams) return;
  const link = document.createElement('a');
  const shown = past.at !== null && tiles.get(cam)?.shown;
  link.href = new URL(shown ? `${cam}.jpg?at=${(shown.us / 1000).toFixed(3)}` : `${cam}.jpg`, cams);
  link.download = `camera-${cam}-${(shown ? new Date(shown.us / 1000) : new Date()).toISOString().slice(0, 23).replace(/:/g, '')}.jpg`;
  link.click();
  say('Picture saved');
}

function fullScreen() {
  if (document.fullscreenElement) document.exitFullscreen();
  else document.documentElement.requestFullscreen?.().catch(() => say('Full screen is not allowed here'));
}

/* The next tile in that direction: close by first, straight ahead before askew. */
function neighbour(key) {
  const order = [...tiles.keys()], at = order.indexOf(large ?? current);
  if (key === 'Home') return order[0];
  if (key === 'End') return order.at(-1);
  const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key];
  if (large !== null || !step[1]) return order[at + (step[0] || step[1])];
  const here = tiles.get(current).box, middle = here.x + here.w / 2;
  let best, least = Infinity;
  for (const tile of tiles.values()) {
    const away = (tile.box.y - here.y) * step[1], aside = Math.abs(tile.box.x + tile.box.w / 2 - middle);
    if (away > here.h / 2 && away * 4 + aside < least) {
      least = away * 4 + aside;
      best = tile.cam;
    }
  }
  return best;
}

function move(key) {
  const cam = neighbour(key);
  if (cam === undefined) return;
  if (large !== null) {
    enlarge(cam);
  } else {
    current = cam;
    for (const tile of tiles.values()) tile.face.tabIndex = tile.cam === cam ? 0 : -1;
    tiles.get(cam).face.focus();
  }
}

const KEYS = {
  Escape: () => large !== null && enlarge(null),
  f: fullScreen,
  s: () => save(large ?? current),
};

document.addEventListener('keydown', event => {
  if (event.ctrlKey || event.metaKey || event.altKey || $('chooser').open) return;
  if (/^(Arrow|Home$|End$)/.test(event.key) && tiles.size) {
    event.preventDefault();
    move(event.key);
  } else {
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    (KEYS[key] ?? past.keys()[key])?.();
  }
});
$('wall').addEventListener('click', event => {
  const face = event.target.closest('.face');
  for (const tile of tiles.values()) if (tile.face === face) enlarge(large === null ? tile.cam : null);
});
$('wall').addEventListener('focusin', event => {
  for (const tile of tiles.values()) if (tile.face === event.target) current = tile.cam;
});
$('back').onclick = () => enlarge(null);
$('save').onclick = () => save(large);
$('full').onclick = fullScreen;
$('full').hidden = !document.fullscreenEnabled;
$('open-chooser').onclick = () => choose().catch(() => say('The server does not answer'));

let lock = null;                  /* a full screen wall does not go to sleep */
document.addEventListener('fullscreenchange', async () => {
  lock?.release();
  lock = document.fullscreenElement ? await navigator.wakeLock?.request('screen').catch(() => null) : null;
});
document.addEventListener('visibilitychange', () => { stream(); poll(); });
$('stage').addEventListener('scroll', () => later(sizes), { passive: true });
addEventListener('popstate', follow);
new ResizeObserver(() => later(place)).observe($('stage'));
setInterval(() => {
  for (const tile of tiles.values()) tile.tick(ahead);
  tellChanges();
}, 1000);
poll();
