/* One camera on the wall: its canvas, its name, and words for what is wrong with it. All text
 * goes in as text, never as HTML: a camera may be called anything. */
const make = (tag, className, parent) => {
  const element = document.createElement(tag);
  element.className = className;
  parent?.append(element);
  return element;
};

const TODAY = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' };
const EARLIER = { day: 'numeric', month: 'short', ...TODAY };

function clock(ms) {
  const when = new Date(ms);
  return when.toLocaleString([], when.toDateString() === new Date().toDateString() ? TODAY : EARLIER);
}

function words({ state, since, error }) {
  const at = since ? ` since ${clock(since)}` : '';
  switch (state) {
  case 'live': return '';
  case 'offline': return `Offline${at}`;
  case 'failed': return `${error ? `${error}. ` : ''}Offline${at}`;
  case 'connecting': return `Connecting${at}`;
  case 'waiting': return `Waiting for a picture${at}`;
  case 'unknown': return 'No news of it yet';
  default: return `${error ? `${error}. ` : ''}${state[0].toUpperCase()}${state.slice(1)}${at}`;   /* a newer producer's word */
  }
}

export class Tile {
  aspect = 16 / 9;
  shown = null;                 /* the newest picture's {us, at} */
  told = false;                 /* the stream has told its state */
  missed = false;               /* the last list was without it */
  back = false;                 /* it shows the past, whatever its state is now */
  #pending = null;              /* {bitmap, us} for the next paint: the latest wins */
  #painted = 0;                 /* since the last tick */
  #fps = 0;
  #damaged = false;

  constructor(camera) {
    this.cam = camera.camera;
    this.element = make('li', 'tile');
    this.face = make('button', 'face', this.element);
    this.face.type = 'button';
    this.face.tabIndex = -1;
    this.canvas = make('canvas', '', this.face);
    this.context = this.canvas.getContext('bitmaprenderer');
    this.note = make('span', 'note', this.face);
    const caption = make('span', 'caption', this.face);
    make('i', 'dot', caption);
    this.nameText = make('span', 'name', caption);
    this.nameText.dir = this.note.dir = 'auto';     /* a name turns nothing around but itself */
    this.facts = make('span', 'facts', caption);
    this.update(camera);
  }

  /* True when it went from live to not live or back. */
  update(camera) {
    const was = this.state?.state;
    this.state = camera;
    this.name = camera.name || `Camera ${this.cam}`;
    this.nameText.textContent = this.name;
    if (!this.shown && camera.w > 0 && camera.h > 0) this.aspect = camera.w / camera.h;
    this.#say();
    return was !== undefined && (was === 'live') !== (camera.state === 'live');
  }

  get live() { return this.state.state === 'live'; }

  #say() {
    const text = (this.back ? '' : words(this.state)) || (this.#damaged ? 'The picture is damaged' : this.shown ? '' : 'Waiting for a picture');
    this.note.textContent = text;
    this.element.dataset.state = this.live ? 'live' : this.state.state === 'connecting' || this.state.state === 'waiting' ? 'soon' : 'off';
    this.element.classList.toggle('dim', !this.live && !this.back);
    this.element.classList.toggle('back', this.back);
    this.face.setAttribute('aria-label', `${this.name}, ${text || 'live'}`);
  }

  /* A picture for the next paint. Returns true if its shape differs from the last one's. */
  offer({ bitmap, us, width, height }) {
    this.#pending?.bitmap.close();
    this.#pending = { bitmap, us };
    const aspect = width / height, other = Math.abs(aspect - this.aspect) > 0.01;
    this.aspect = aspect;
    return other;
  }

  /* In an animation frame. The canvas takes the bitmap and frees the one before. */
  paint() {
    if (!this.#pending) return;
    const { bitmap, us } = this.#pending, first = !this.shown || this.#damaged;
    this.#pending = null;
    if (this.canvas.width !== bitmap.width || this.canvas.height !== bitmap.height) {
      this.canvas.width = bitmap.width;
      this.canvas.height = bitmap.height;
    }
    this.context.transferFromImageBitmap(bitmap);
    this.shown = { us, at: Date.now() };
    this.#damaged = false;
    this.#painted++;
    if (first) this.#say();
  }

  look(back) {
    if (this.back === back) return;
    this.back = back;
    this.#say();
  }

  damaged() {
    this.#damaged = true;
    this.#say();
  }

  /* Once a second. ahead: the server's clock against ours, ms. */
  tick(ahead) {
    this.#fps += 0.4 * (this.#painted - this.#fps);
    this.#painted = 0;
    if (!this.shown) return;
    const age = Math.max(0, (Date.now() + ahead - this.shown.us / 1000) / 1000);
    if (this.back) {
      this.facts.textContent = new Date(this.shown.us / 1000).toLocaleTimeString([], { hourCycle: 'h23' });
      this.element.classList.remove('late');
      return;
    }
    this.facts.textContent = this.live
      ? `${this.#fps.toFixed(1)} fps \u00b7 ${age < 10 ? age.toFixed(1) : Math.round(age)} s old` : '';
    this.element.classList.toggle('late', this.live && age > 5);
  }

  place({ x, y, w, h }) {
    const style = this.element.style;
    style.left = `${x}px`;
    style.top = `${y}px`;
    style.width = `${w}px`;
    style.height = `${h}px`;
    this.element.classList.toggle('tiny', w < 150);
    this.box = { x, y, w, h };
  }

  remove() {
    this.#pending?.bitmap.close();
    this.#pending = null;
    this.element.remove();
  }
}
