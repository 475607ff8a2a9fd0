/* The bar below the wall: what Kafka still holds, and the moment that is shown. All cameras move
 * together. The wall asks for each stream's query (stream()) and tells what was painted (shown()); the
 * bar asks the wall to open another stream (again) when something was chosen. */
const $ = id => document.getElementById(id);

const DRAG_MS = 200;              /* between two jumps while dragging */
const PEEK_MS = 120;              /* between two small pictures while hovering */
const TIMES_MS = 20000;
const SPEEDS = [1, 2, 4, 8, 16];
const GROUND_MS = 60000;          /* the shortest span the bar has */

const TIME = { hour: '2-digit', minute: '2-digit', second: '2-digit', fractionalSecondDigits: 1, hourCycle: 'h23' };
const DATED = { day: 'numeric', month: 'short', ...TIME };

function clock(ms) {
  const when = new Date(ms), today = when.toDateString() === new Date().toDateString();
  return when.toLocaleString([], today ? TIME : DATED);
}

export function parseMoment(text) {
  if (!text) return null;
  const ms = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Date.parse(text);
  return Number.isFinite(ms) ? ms : null;
}

export class Past {
  at = null;                      /* the moment that play began at, ms; null: live */
  speed = 1;
  paused = false;
  #wall;                          /* {camera, cams, clipOf, again, say, address, now} */
  #times = null;                  /* times.json of the camera the bar is of */
  #of = null;
  #shown = null;                  /* ms of the newest picture painted */
  #in = null;
  #out = null;
  #dragging = false;
  #next = null;                   /* the jump that waits */
  #jumped = 0;
  #stepping = false;

  constructor(wall) {
    this.#wall = wall;
    const zone = new Intl.DateTimeFormat([], { timeZoneName: 'short' }).formatToParts(new Date());
    $('zone').textContent = zone.find(part => part.type === 'timeZoneName')?.value ?? '';
    this.#listen();
    setInterval(() => this.#load(), TIMES_MS);
    setInterval(() => this.#draw(), 500);
    new ResizeObserver(() => { $('peek').hidden = true; this.#draw(); }).observe($('line'));
  }

  /* Of a stream's URL. once: it ends by itself. */
  query() {
    if (this.at === null) return { entries: {}, once: false };
    const at = this.at.toFixed(3);
    if (this.paused) return { entries: { at, until: at }, once: true };
    return { entries: { at, rate: String(this.speed) }, once: this.speed < 0 };
  }

  offer(may) {
    if ($('past').hidden !== may) return;
    $('past').hidden = !may;
    for (const hint of document.querySelectorAll('.has-past')) hint.hidden = !may;
    if (may) this.#load();
    else if (this.at !== null) this.live();
  }

  get offered() { return !$('past').hidden; }

  /* A picture of the past was painted. */
  shown(us) {
    if (this.at === null || this.#dragging) return;
    const ms = us / 1000, shown = this.#shown ?? ms;
    this.#shown = this.speed < 0 ? Math.min(shown, ms) : Math.max(shown, ms);   /* one camera is first */
  }

  /* The moment on the screen, ms. */
  moment() { return this.at === null ? this.#wall.now() : this.#shown ?? this.at; }

  /* The stream ended by itself: it was at a pause, or the beginning was reached. */
  ended() {
    if (this.paused || this.at === null) return;
    this.#stop(this.moment());
    this.#wall.say('The beginning of what is kept');
  }

  jump(ms, keep = {}) {
    const last = this.#wall.now();
    if (ms >= last - 500 && !keep.paused) return this.live();
    this.at = Math.max(Math.min(ms, last), this.#oldest());
    this.#shown = null;
    this.paused = keep.paused ?? this.paused;
    this.#changed();
  }

  live() {
    this.at = this.#shown = null;
    this.paused = false;
    this.speed = 1;
    this.#changed();
    this.#wall.say('Live');
  }

  /* On from where it is, at this speed. */
  play(speed) {
    const at = this.moment();
    this.speed = speed;
    this.paused = false;
    if (this.at === null && speed > 0) return;
    this.at = at;
    this.#shown = null;
    this.#changed();
    this.#wall.say(speed < 0 ? `Backwards, ${-speed} times` : `Forwards, ${speed} times`);
  }

  faster(direction) {
    const same = Math.sign(this.speed) === direction && !this.paused && this.at !== null;
    const place = SPEEDS.indexOf(Math.abs(this.speed));
    this.play(direction * (same ? SPEEDS[Math.min(place + 1, SPEEDS.length - 1)] : 1));
  }

  pause() {
    if (this.paused) this.play(this.speed < 0 ? 1 : this.speed);
    else this.#stop(this.moment());
  }

  #stop(at) {
    this.at = at;
    this.paused = true;
    this.#changed();
    this.#wall.say(`Stopped at ${clock(at)}`);
  }

  /* One picture on or back, of the camera that has the focus. */
  async step(direction) {
    const cam = this.#wall.camera();
    if (cam === null || this.#stepping) return;
    this.#stepping = true;
    try {
      const at = this.moment();
      const answer = await fetch(new URL(`${cam}.json?at=${at.toFixed(3)}`, this.#wall.cams), { cache: 'no-store' });
      const { picture } = await answer.json();
      const record = await fetch(new URL(picture, this.#wall.cams), { method: 'HEAD' });
      const links = record.headers.get('Link') ?? '';
      const us = links.match(new RegExp(`us=(\\d+)>; rel="${direction > 0 ? 'next' : 'prev'}"`))?.[1];
      if (us) this.jump(Number(us) / 1000, { paused: true });
    } catch {
      this.#wall.say('The server does not answer');
    } finally {
      this.#stepping = false;
    }
  }

  mark(end) {
    const at = this.moment();
    if (end === 'in') this.#in = at;
    else this.#out = at;
    if (this.#in !== null && this.#out !== null && this.#in > this.#out) [this.#in, this.#out] = [this.#out, this.#in];
    $('clip').disabled = this.#in === null || this.#out === null;
    this.#wall.say(`The clip ${end === 'in' ? 'begins' : 'ends'} at ${clock(at)}`);
    this.#draw();
  }

  save() {
    if (this.#in === null || this.#out === null) return;
    const link = document.createElement('a');
    const url = this.#wall.clipOf();
    url.search = new URLSearchParams({ from: this.#in.toFixed(3), until: this.#out.toFixed(3) });
    link.href = url;
    link.download = '';
    link.click();
    this.#wall.say('The clip is being saved');
  }

  #changed() {
    this.#wall.address(this.at === null ? null : new Date(this.at).toISOString());
    this.#wall.again();
    this.#draw();
  }

  /* What there is. */

  async #load() {
    const cam = this.#wall.camera();
    if (!this.offered || cam === null || document.visibilityState === 'hidden') return;
    try {
      const answer = await fetch(new URL(`${cam}/times.json`, this.#wall.cams));
      if (!answer.ok) return;
      this.#times = await answer.json();
      this.#of = cam;
      this.#draw();
    } catch { /* another time */ }
  }

  focusChanged() {
    if (this.#of !== this.#wall.camera()) this.#load();
  }

  #oldest() { return this.#times ? this.#times.oldest / 1000 : this.#wall.now() - 3600000; }

  #span() {
    const until = this.#wall.now(), from = Math.min(this.#oldest(), this.at ?? until);
    return { from: Math.min(from, until - GROUND_MS), until };
  }

  /* The bar. */

  #draw() {
    if (!this.offered) return;
    const { from, until } = this.#span(), line = $('line'), now = this.moment();
    const place = ms => `${Math.max(0, Math.min(100, 100 * (ms - from) / (until - from)))}%`;
    $('needle').style.left = place(now);
    $('moment').textContent = clock(now);
    $('live').setAttribute('aria-pressed', this.at === null);
    $('pause').textContent = this.paused ? 'Play' : 'Pause';
    $('speed').textContent = this.at === null ? '' : this.paused ? '' : `${this.speed}\u00d7`;
    $('marked').hidden = this.#in === null && this.#out === null;
    const begin = this.#in ?? this.#out, end = this.#out ?? this.#in;
    $('marked').style.left = place(begin ?? 0);
    $('marked').style.right = `calc(100% - ${place(end ?? 0)} - 2px)`;
    line.setAttribute('aria-valuemin', Math.round(from / 1000));
    line.setAttribute('aria-valuemax', Math.round(until / 1000));
    line.setAttribute('aria-valuenow', Math.round(now / 1000));
    line.setAttribute('aria-valuetext', this.at === null ? 'Live' : `${clock(now)} ${$('zone').textContent}`);
    this.#density(from, until);
  }

  #density(from, until) {
    const canvas = $('density'), width = Math.round(canvas.clientWidth * devicePixelRatio);
    const height = Math.round(canvas.clientHeight * devicePixelRatio), draw = canvas.getContext('2d');
    if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
    draw.clearRect(0, 0, width, height);
    if (!this.#times || !width) return;
    const style = getComputedStyle(document.documentElement);
    const { pictures, gaps } = this.#times, step = this.#times.step / 1000, most = Math.max(1, ...pictures);
    const x = ms => width * (ms - from) / (until - from);
    draw.fillStyle = style.getPropertyValue('--blue');
    pictures.forEach((count, i) => {
      if (!count) return;
      const begin = Math.max(this.#times.from / 1000 + i * step, this.#oldest());
      const end = Math.min(this.#times.from / 1000 + (i + 1) * step, i + 1 === pictures.length ? until : Infinity);
      const tall = height * (0.25 + 0.6 * count / most);
      draw.globalAlpha = 0.55;
      draw.fillRect(x(begin), height - tall, Math.max(1, x(end) - x(begin)), tall);
    });
    draw.globalAlpha = 1;
    draw.fillStyle = style.getPropertyValue('--ground');
    for (const [begin, end] of gaps) draw.fillRect(x(begin / 1000), 0, Math.max(1, x(end / 1000) - x(begin / 1000)), height);
  }

  /* Hands. */

  #at(event) {
    const box = $('line').getBoundingClientRect(), { from, until } = this.#span();
    return from + (until - from) * Math.max(0, Math.min(1, (event.clientX - box.left) / box.width));
  }

  /* As often as the server is asked anyway, and at last where it was let go. */
  #jumpSoon(ms) {
    this.#shown = ms;
    const waiting = this.#next !== null;
    this.#next = ms;
    if (waiting) return;
    setTimeout(() => {
      const wanted = this.#next;
      this.#next = null;
      this.#jumped = performance.now();
      this.jump(wanted, { paused: this.#dragging || this.paused });
    }, Math.max(0, this.#jumped + DRAG_MS - performance.now()));
  }

  #peek(event) {
    const cam = this.#wall.camera(), peek = $('peek'), box = $('line').getBoundingClientRect();
    if (cam === null || event.pointerType === 'touch') return;
    const ms = this.#at(event), image = peek.firstElementChild, now = performance.now();
    peek.hidden = false;
    peek.style.left = `${Math.max(95, Math.min(box.width - 95, event.clientX - box.left))}px`;
    peek.lastElementChild.textContent = clock(ms);
    if (now - (this.peeked ?? 0) < PEEK_MS) return;
    this.peeked = now;
    image.src = new URL(`${cam}.jpg?small=1&at=${Math.min(ms, this.#wall.now() - 1).toFixed(0)}`, this.#wall.cams);
  }

  #listen() {
    const line = $('line');
    let wasPaused = false;
    line.addEventListener('pointerdown', event => {
      wasPaused = this.paused;
      this.#dragging = true;
      line.setPointerCapture(event.pointerId);
      this.#jumpSoon(this.#at(event));
    });
    line.addEventListener('pointermove', event => {
      if (this.#dragging) this.#jumpSoon(this.#at(event));
      this.#peek(event);
    });
    const release = event => {
      if (!this.#dragging) return;
      this.#dragging = false;
      this.#next = null;
      this.jump(this.#at(event), { paused: wasPaused });
    };
    line.addEventListener('pointerup', release);
    line.addEventListener('pointercancel', release);
    line.addEventListener('pointerleave', () => { $('peek').hidden = true; });
    line.addEventListener('wheel', event => {
      event.preventDefault();
      const { from, until } = this.#span();
      this.#jumpSoon((this.#next ?? this.moment()) - Math.sign(event.deltaY || event.deltaX) * (until - from) / 200);
    }, { passive: false });
    line.addEventListener('keydown', event => this.#key(event));
    $('backwards').onclick = () => this.faster(-1);
    $('forwards').onclick = () => this.faster(1);
    $('pause').onclick = () => this.pause();
    $('live').onclick = () => this.live();
    $('mark-in').onclick = () => this.mark('in');
    $('mark-out').onclick = () => this.mark('out');
    $('clip').onclick = () => this.save();
  }

  #key(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === 'Home') this.live();
    else if (step && event.shiftKey) this.jump(this.moment() + step * 10000);
    else if (step) this.step(step);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /* Keys that count anywhere on the page. */
  keys() {
    return this.offered ? {
      j: () => this.faster(-1), k: () => this.pause(), l: () => this.faster(1),
      i: () => this.mark('in'), o: () => this.mark('out'),
    } : {};
  }
}
