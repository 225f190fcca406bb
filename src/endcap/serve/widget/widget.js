// <endcap-shelf>: a shelf of recommendations for any page of any shop. docs/widget.md has every attribute.

const HOME = new URL(import.meta.url).origin;
const KEPT = 'endcap:visitor';
const PATIENCE = 8000; // ms for an answer
const TOGETHER = 400; // ms in which impressions are sent at once
const NEAR = '300px'; // from the window: a shelf that nobody scrolls to asks for nothing
const MOST = 100; // products of a list, of which `because` finds those with one reason
const MOST_EXCLUDED = 1000; // that the API takes
const FEW = 3; // fewer are no shelf of their own
const WORDS = { en: ['Back', 'More'], zh: ['向前', '更多'] };

const style = new CSSStyleSheet();
style.replaceSync(`
:host { display: block; color: var(--endcap-ink, light-dark(#1d1f1e, #ecedea)); font: inherit; line-height: 1.4;
  min-height: calc(2.75rem + var(--endcap-card-width, 11rem) / var(--endcap-card-ratio, 1) + 3.2em + var(--endcap-price-height, 1.6em)); /* as high as it will be: nothing moves when it comes */
}
:host([explain]) { min-height: calc(2.75rem + var(--endcap-card-width, 11rem) / var(--endcap-card-ratio, 1) + 5.8em + var(--endcap-price-height, 1.6em)); }
section { /* not the host, to which a page may give its own variables of these names: they would name each other */
  --card: var(--endcap-card-width, 11rem);
  --gap: var(--endcap-gap, 1rem);
  --quiet: var(--endcap-quiet, light-dark(#5d635f, #a4aba6));
  --soft: var(--endcap-soft, light-dark(#f0f0ec, #232725));
  --line: var(--endcap-line, light-dark(#dcded9, #363c39));
  --accent: var(--endcap-accent, light-dark(#1d5c48, #7fcbae));
}
:host([hidden]) { display: none; }
* { box-sizing: border-box; }
header { display: flex; align-items: center; justify-content: space-between; gap: 1rem; height: 2rem; margin: 0 0 .75rem; }
h2 { margin: 0; font-size: var(--endcap-heading-size, 1.25rem); font-weight: var(--endcap-heading-weight, 600);
  line-height: 2rem; letter-spacing: -.01em; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.moves { display: flex; gap: .4rem; flex: none; }
.moves[hidden] { display: none; }
button { width: 2rem; height: 2rem; padding: 0; border: 1px solid var(--line); border-radius: 50%; background: none;
  color: inherit; font: inherit; cursor: pointer; }
button[aria-disabled=true] { color: var(--line); cursor: default; }
button svg { display: block; width: 1rem; height: 1rem; margin: auto; fill: none; stroke: currentColor; stroke-width: 1.75;
  stroke-linecap: round; stroke-linejoin: round; }
:host(:dir(rtl)) button svg { transform: scaleX(-1); }
ul { display: grid; grid-auto-flow: column; grid-auto-columns: var(--card); justify-content: start; gap: var(--gap);
  margin: -4px; padding: 4px; list-style: none; overflow: auto hidden; scroll-snap-type: x proximity;
  scroll-padding: 4px; scrollbar-width: none; overscroll-behavior-x: contain; }
ul::-webkit-scrollbar { display: none; }
li { scroll-snap-align: start; min-width: 0; }
a { display: block; color: inherit; text-decoration: none; border-radius: var(--endcap-radius, .6rem); }
a:hover .title { text-decoration: underline; text-decoration-thickness: 1px; text-underline-offset: .18em; }
:is(a, button):focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.image { display: grid; place-items: center; aspect-ratio: var(--endcap-card-ratio, 1); overflow: hidden; background: var(--soft);
  border-radius: var(--endcap-radius, .6rem); outline: 1px solid light-dark(#00000012, #ffffff12); outline-offset: -1px;
  color: var(--quiet); font-size: 1.75rem; font-weight: 600; }
img { width: 100%; height: 100%; object-fit: var(--endcap-fit, cover); }
.title { display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 2; overflow: hidden; height: 2.8em;
  margin-top: .6em; font-size: .9375em; overflow-wrap: anywhere; }
.price { height: var(--endcap-price-height, 1.6em); padding-top: .2em; overflow: hidden; font-weight: 600; font-variant-numeric: tabular-nums; }
.reason { display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 2; overflow: hidden; height: 2.8em;
  margin-top: .3em; color: var(--quiet); font-size: .8125em; overflow-wrap: anywhere; }
.ghost :is(.title, .price) { background: linear-gradient(var(--soft), var(--soft)) 0 .2em / 85% 1em no-repeat; }
.ghost .price { background-size: 35% 1em; }
.ghost { animation: breathe 1.6s ease-in-out infinite alternate; }
@keyframes breathe { from { opacity: 1 } to { opacity: .55 } }
@media (prefers-reduced-motion: no-preference) { ul { scroll-behavior: smooth; } }
@media (prefers-reduced-motion: reduce) { .ghost { animation: none; } }
`);

/** An element with attributes and children; texts become text, never markup. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) if (value != null) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function arrow(path) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('viewBox', '0 0 16 16');
  svg.setAttribute('aria-hidden', 'true');
  svg.append(document.createElementNS(svg.namespaceURI, 'path'));
  svg.firstChild.setAttribute('d', path);
  return make('button', { type: 'button', part: 'arrow' }, svg);
}

const looks = ({ id, title, image }) => [id, title, image].join('\n');
const pictured = (child) => make('div', { class: 'image', part: 'image' }, child);

/** Who this browser is, for an API: asked for once, then kept. Where nothing can be kept, good for this page. */
const visitors = new Map();

function visitorOf(api, query) {
  const name = `${KEPT}:${api}${query}`;
  if (!visitors.has(name)) {
    let kept;
    try { kept = localStorage.getItem(name); } catch { /* no storage here */ }
    visitors.set(name, kept ? Promise.resolve(kept) : post(`${api}/v1/visitors${query}`).then(({ visitor }) => {
      try { localStorage.setItem(name, visitor); } catch { /* no storage here */ }
      return visitor;
    }));
    visitors.get(name).catch(() => visitors.delete(name));
  }
  return visitors.get(name);
}

function forgetVisitor(api, query) {
  const name = `${KEPT}:${api}${query}`;
  visitors.delete(name);
  try { localStorage.removeItem(name); } catch { /* no storage here */ }
}

/** Without headers of its own, so that a browser asks no permission of the API first. */
async function post(url, body, signal) {
  const signals = [AbortSignal.timeout(PATIENCE), ...(signal ? [signal] : [])];
  const answer = await fetch(url, {
    method: 'POST', body: body && JSON.stringify(body), credentials: 'omit', signal: AbortSignal.any(signals),
  });
  const said = await answer.json();
  if (!answer.ok) throw Object.assign(new Error(said.error?.message), { code: said.error?.code });
  return said;
}

/** Ids: JSON, or a list with commas. */
function ids(text) {
  if (!text?.trim()) return undefined;
  return text.trim().startsWith('[') ? JSON.parse(text) : text.split(',').map((id) => id.trim()).filter(Boolean);
}

/** Why a product stands there, in the page's language: what the answer says in English, or its parts in Chinese. */
function why({ kind, text, titles, had }, lang) {
  if (!lang.startsWith('zh')) return text;
  if (kind === 'events') return `因为：${titles.join('、')}`;
  if (kind !== 'had') return { rule: '本店推荐', taste: '口味相近的人喜欢' }[kind] || '很多人喜欢';
  const ago = { null: '以前', 0: '今天', 1: '昨天' }[had.days] || `${had.days} 天前`;
  if (had.every) return `你大约每 ${had.every} 天买一次${had.days === null ? '' : `，上次是${ago}`}`;
  return `你${ago}${{ purchase: '买', cart: '加购', view: '看' }[had.kind]}过${had.same ? '这件' : '同款'}商品`;
}

const initials = (title) => [...title.matchAll(/[\p{L}\p{N}]+/gu)].slice(0, 2).map(([word]) => [...word][0]).join('');

/** The shelves inside it ask together, so that no product stands on two of them. */
class Page extends HTMLElement {
  #waiting = [];
  #shown = new Map(); // shelf -> ids

  /** The answer for one shelf; all that ask in one turn are one request. */
  ask(shelf, url, body) {
    return new Promise((resolve, reject) => {
      this.#waiting = this.#waiting.filter((each) => each.shelf !== shelf);
      this.#waiting.push({ shelf, url, body, resolve, reject });
      if (this.#waiting.length === 1) setTimeout(() => this.#send());
    });
  }

  async #send() {
    const asked = this.#waiting.sort((one, other) => one.shelf.compareDocumentPosition(other.shelf) & 4 ? -1 : 1);
    this.#waiting = [];
    if (!asked.length) return; // a shelf asked anew meanwhile, and its turn was taken
    for (const { shelf } of asked) this.#shown.delete(shelf);
    for (const shelf of this.#shown.keys()) if (!this.contains(shelf)) this.#shown.delete(shelf);
    const { visitor, user_id, user_signature } = asked[0].body;
    const own = [...this.querySelectorAll('endcap-shelf')].flatMap((shelf) => // of shelves that asked earlier, or will, too
      [shelf.getAttribute('item') || [], ids(shelf.getAttribute('cart')) || []].flat());
    const exclude = [...new Set([...(ids(this.getAttribute('exclude')) || []), ...own, ...[...this.#shown.values()].flat()])]
      .slice(0, MOST_EXCLUDED);
    const shelves = asked.map(({ body: { slot, k, filter, item_id, cart, explain } }) => ({ slot, k, filter, item_id, cart, explain }));
    try {
      const answer = await post(asked[0].url, { visitor, user_id, user_signature, exclude, shelves });
      asked.forEach(({ shelf, resolve }, place) => {
        this.#shown.set(shelf, answer.shelves[place].items.map(({ id }) => id));
        resolve(answer.shelves[place]);
      });
    } catch (error) {
      for (const { reject } of asked) reject(error);
    }
  }
}

class Shelf extends HTMLElement {
  static observedAttributes = ['api', 'key', 'visitor', 'user', 'user-signature', 'slot', 'item', 'cart', 'filter', 'k',
    'title', 'heading', 'lang', 'currency', 'href', 'image', 'explain', 'because'];

  #heading;
  #list;
  #moves; // the arrows
  #section;
  #waiting; // what stops the request that runs
  #planned = false;
  #near = false; // whether it was ever about to be seen
  #shown; // the answer on show
  #seen = new Set(); // what was counted as seen
  #unsent = [];
  #timer = 0;
  #again = () => this.#plan();
  #forget = () => { // nothing more of this visitor is sent or kept here; endcap:changed begins anew
    this.#waiting?.abort();
    this.#unsent = [];
    this.#shown = undefined;
    this.#eyes.disconnect();
    forgetVisitor(this.#api, this.#query);
  };
  #flush = () => { if (document.visibilityState === 'hidden') this.#send(); };
  #approach = new IntersectionObserver((entries) => {
    if (!entries.some(({ isIntersecting }) => isIntersecting)) return;
    this.#near = true;
    this.#approach.disconnect();
    this.#plan();
  }, { rootMargin: NEAR });
  #eyes = new IntersectionObserver((entries) => this.#look(entries), { threshold: 0.5 });
  #size = new ResizeObserver(() => this.#arrows());

  connectedCallback() {
    this.#frame();
    addEventListener('endcap:changed', this.#again);
    addEventListener('endcap:forget', this.#forget);
    document.addEventListener('visibilitychange', this.#flush);
    this.#approach.observe(this);
  }

  disconnectedCallback() {
    removeEventListener('endcap:changed', this.#again);
    removeEventListener('endcap:forget', this.#forget);
    document.removeEventListener('visibilitychange', this.#flush);
    this.#waiting?.abort();
    for (const observer of [this.#approach, this.#eyes, this.#size]) observer.disconnect();
    this.#send();
  }

  attributeChangedCallback(name, before, now) {
    if (name === 'title') { // as a title it would be a tooltip over the whole shelf
      if (now) { this.setAttribute('heading', now); this.removeAttribute('title'); }
    } else if (name === 'heading' && this.#heading) this.#head(now);
    else if (before !== now && this.isConnected) {
      if (name === 'lang' && this.#moves) this.#name();
      this.#plan();
    }
  }

  get #api() { return (this.getAttribute('api') || HOME).replace(/\/$/, ''); }

  get #query() { return this.getAttribute('key') ? `?key=${encodeURIComponent(this.getAttribute('key'))}` : ''; }

  get #lang() { return this.getAttribute('lang') || this.closest('[lang]')?.lang || navigator.language; }

  get #k() { return Number(this.getAttribute('k')) || 8; }

  /** The shelf without products: its heading, arrows and as many ghosts as products are to come. */
  #frame() {
    if (this.#list) { this.#size.observe(this.#list); return; }
    this.#heading = make('h2', { part: 'heading', id: 'heading' });
    this.#list = make('ul', { part: 'list', role: 'list' });
    this.#moves = make('div', { class: 'moves', part: 'arrows', role: 'group', 'aria-labelledby': 'heading', hidden: '' },
      arrow('M10 3 5 8l5 5'), arrow('m6 3 5 5-5 5'));
    this.#name();
    [...this.#moves.children].forEach((button, place) => button.addEventListener('click', () => this.#move(place * 2 - 1)));
    this.#list.addEventListener('scroll', () => this.#arrows(), { passive: true });
    for (const kind of ['click', 'auxclick']) this.#list.addEventListener(kind, (event) => this.#clicked(event));
    const ghost = () => make('li', { class: 'ghost' }, pictured(''), make('div', { class: 'title' }), make('div', { class: 'price' }));
    this.#list.append(...Array.from({ length: Math.min(this.#k, 12) }, ghost));
    this.#section = make('section', { part: 'shelf', 'aria-labelledby': 'heading', 'aria-busy': 'true' },
      make('header', { part: 'header' }, this.#heading, this.#moves), this.#list);
    this.#head(this.getAttribute('heading'));
    const root = this.attachShadow({ mode: 'open' });
    root.adoptedStyleSheets = [style];
    root.append(this.#section);
    this.#size.observe(this.#list);
  }

  /** What the arrows are called. */
  #name() {
    const words = WORDS[this.#lang.slice(0, 2)] || WORDS.en;
    [...this.#moves.children].forEach((button, place) => button.setAttribute('aria-label', words[place]));
  }

  #head(text) { this.#heading.textContent = text || '\u00a0'; }

  /** Several changes in one turn are one request. */
  #plan() {
    if (this.#planned) return;
    this.#planned = true;
    queueMicrotask(() => { this.#planned = false; if (this.#near && this.isConnected) this.#load(); });
  }

  async #load(renewed = false) {
    this.#waiting?.abort();
    const { signal } = this.#waiting = new AbortController();
    this.#section.setAttribute('aria-busy', 'true');
    try {
      const body = this.#question(this.getAttribute('visitor') || await visitorOf(this.#api, this.#query));
      const page = this.closest('endcap-page');
      const answer = page ? await page.ask(this, `${this.#api}/v1/pages${this.#query}`, body)
        : await post(`${this.#api}/v1/recommendations${this.#query}`, body, signal);
      if (!signal.aborted) this.#show(answer, body);
    } catch (error) {
      if (signal.aborted) return;
      const worn = ['visitor_expired', 'visitor_forged'].includes(error.code) && !this.getAttribute('visitor');
      if (worn) forgetVisitor(this.#api, this.#query);
      if (worn && !renewed) this.#load(true);
      else this.hidden = true; // the page is whole without it
    }
  }

  #question(visitor) {
    const has = (name) => this.getAttribute(name) || undefined;
    return {
      visitor, user_id: has('user'), user_signature: has('user') && has('user-signature'),
      slot: has('slot') || 'home', item_id: has('item'),
      cart: ids(has('cart')), filter: has('filter'), k: has('because') ? MOST : this.#k,
      explain: this.hasAttribute('explain') || Boolean(has('because')),
    };
  }

  #show(answer, { visitor }) {
    const items = this.#chosen(answer.items);
    const words = [this.#lang, ...items.map(({ id, reason }) => `${id} ${reason?.text}`)].join('\n');
    const before = this.#shown?.words;
    const pictures = new Map(this.#shown?.items.map((item, place) => // those that stay are not loaded and drawn again
      [looks(item), this.#list.children[place]?.querySelector('[part=image]')]));
    this.#send();
    this.#shown = { items, words, list: answer.recommendation_id, visitor };
    this.hidden = !items.length;
    this.#section.setAttribute('aria-busy', 'false');
    this.#eyes.disconnect();
    if (before !== words || !this.#list.querySelector('a')) {
      const focused = this.#list.querySelector('a:focus')?.parentNode;
      const place = focused ? [...this.#list.children].indexOf(focused) : -1;
      this.#list.replaceChildren(...items.map((item) => this.#card(item, pictures.get(looks(item)))));
      this.#list.children[Math.min(place, items.length - 1)]?.firstChild.focus({ preventScroll: true }); // else it is lost
      this.#list.scrollTo({ left: 0, behavior: 'instant' });
    } else [...this.#list.querySelectorAll('a')].forEach((link, place) => { link.href = this.#address(items[place]); });
    for (const one of this.#list.children) this.#eyes.observe(one);
    this.#arrows();
  }

  /** Of `because`, the products that one event of the past carried: the one that carried most of them. */
  #chosen(items) {
    const texts = this.getAttribute('because') && JSON.parse(this.getAttribute('because'));
    if (!texts) return items;
    const carried = new Map();
    for (const item of items) {
      const event = item.reason?.events.find((id) => Object.hasOwn(texts, id));
      if (event !== undefined) carried.set(event, [...(carried.get(event) || []), item]);
    }
    const [event, most] = [...carried].sort(([, a], [, b]) => b.length - a.length)[0] || ['', []];
    this.#head(texts[event]);
    return most.length < FEW ? [] : most.slice(0, this.#k);
  }

  #card(item, picture) {
    const title = String(item.title || item.id);
    const link = make('a', { part: 'card', href: this.#address(item) }, picture || pictured(this.#image(item, title)),
      make('div', { class: 'title', part: 'title', dir: 'auto' }, title),
      make('div', { class: 'price', part: 'price' }, this.#price(item)));
    if (this.hasAttribute('explain') && item.reason) {
      link.append(make('div', { class: 'reason', part: 'reason', dir: 'auto' }, why(item.reason, this.#lang)));
    }
    return make('li', { part: 'item' }, link);
  }

  #address(item) {
    return (this.getAttribute('href') || '/products/{id}').replaceAll('{id}', encodeURIComponent(item.id))
      .replaceAll('{list}', encodeURIComponent(this.#shown.list));
  }

  #image(item, title) {
    const pattern = this.getAttribute('image');
    const address = pattern ? pattern.replaceAll('{id}', encodeURIComponent(item.id)) : item.image;
    if (!pattern && !/^(https?:)?\/\//i.test(address || '')) return initials(title);
    const image = make('img', { src: address, alt: '', loading: 'lazy', decoding: 'async', width: 320, height: 320 });
    image.addEventListener('error', () => image.replaceWith(initials(title)), { once: true });
    return image;
  }

  #price({ price, currency }) {
    if (typeof price !== 'number') return '';
    const code = currency || this.getAttribute('currency');
    try {
      return new Intl.NumberFormat(this.#lang, code ? { style: 'currency', currency: code } : { minimumFractionDigits: 2 })
        .format(price);
    } catch { // no such currency, no such language
      return `${price.toFixed(2)} ${code || ''}`;
    }
  }

  // Moving along the shelf

  #move(way) {
    const rtl = getComputedStyle(this).direction === 'rtl' ? -1 : 1;
    this.#list.scrollBy({ left: way * rtl * 0.9 * this.#list.clientWidth });
  }

  #arrows() {
    const { scrollLeft, scrollWidth, clientWidth } = this.#list;
    const [back, more] = this.#moves.children;
    const done = Math.abs(scrollLeft);
    this.#moves.hidden = !this.#shown || scrollWidth <= clientWidth + 1;
    back.setAttribute('aria-disabled', done < 2);
    more.setAttribute('aria-disabled', done + clientWidth > scrollWidth - 2);
  }

  // What is sent: impressions once each, and clicks, both with the list that they belong to

  #look(entries) {
    for (const { isIntersecting, target } of entries) {
      const item = this.#shown?.items[[...this.#list.children].indexOf(target)];
      if (!isIntersecting || !item) continue;
      this.#eyes.unobserve(target);
      const name = `${this.#shown.list}\n${item.id}`;
      if (this.#seen.has(name)) continue;
      this.#seen.add(name);
      this.#unsent.push(this.#event(item, 'impression'));
      this.#timer ||= setTimeout(() => this.#send(), TOGETHER);
    }
  }

  #clicked(event) {
    if (event.type === 'auxclick' && event.button !== 1) return;
    const link = event.target.closest('a');
    const item = link && this.#shown?.items[[...this.#list.children].indexOf(link.parentNode)];
    if (!item) return;
    this.#unsent.push(this.#event(item, 'click'));
    this.#send();
    const told = new CustomEvent('endcap:click', { bubbles: true, cancelable: true, detail: { item, list: this.#shown.list } });
    if (!this.dispatchEvent(told)) event.preventDefault();
  }

  #event(item, kind) {
    return { item_id: item.id, kind, recommendation_id: this.#shown.list, user_id: this.getAttribute('user') || undefined };
  }

  #send() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    if (!this.#unsent.length) return;
    const signature = this.getAttribute('user') && this.getAttribute('user-signature');
    const body = { visitor: this.#shown.visitor, user_signature: signature || undefined, events: this.#unsent };
    this.#unsent = [];
    navigator.sendBeacon(`${this.#api}/v1/events${this.#query}`, JSON.stringify(body));
  }
}

customElements.get('endcap-page') || customElements.define('endcap-page', Page);
customElements.get('endcap-shelf') || customElements.define('endcap-shelf', Shelf);
