// What the shop's pages do beyond links and forms; without this they work all the same, but for the shelves.

const root = document.documentElement;
const one = (selector) => document.querySelector(selector);
const changed = () => dispatchEvent(new Event('endcap:changed'));

/** Sends a form as a browser would. */
function send(form, accept, submitter) {
  const fields = new URLSearchParams(new FormData(form, submitter));
  return fetch(form.action, { method: 'POST', body: fields, headers: { accept } });
}

function count(pieces) {
  const badge = one('[data-count]');
  badge.textContent = pieces;
  badge.hidden = !pieces;
}

// The toast: what was done, the way to the cart, and the way back. It stays while it is pointed at or in focus.

const toast = one('[data-toast]');
const STAYS = 7000; // ms
let fading;
let undo; // the fields that bring the cart back to what it was

const fade = () => { clearTimeout(fading); fading = setTimeout(() => { toast.hidden = true; }, STAYS); };
const stay = () => clearTimeout(fading);

function say(text, back, view = true) {
  undo = back;
  toast.hidden = false;
  toast.querySelector('[data-text]').textContent = text;
  toast.querySelector('[data-view]').hidden = !view;
  toast.querySelector('[data-do=undo]').hidden = !back;
  fade();
}

for (const kind of ['pointerenter', 'focusin']) toast.addEventListener(kind, stay);
for (const kind of ['pointerleave', 'focusout']) toast.addEventListener(kind, fade);

async function takeBack() {
  const { fields, after } = undo;
  toast.hidden = true;
  const answer = await fetch('/shop/cart', { method: 'POST', body: new URLSearchParams(fields), headers: { accept: 'application/json' } });
  if (!answer.ok) return location.assign('/shop/cart');
  count((await answer.json()).pieces);
  changed();
  return after?.();
}

// Light and dark: the cookie is for the server, so that the next page comes in the right colours at once.

function theme() {
  const dark = getComputedStyle(root).colorScheme === 'dark'
    || (!root.dataset.theme && matchMedia('(prefers-color-scheme: dark)').matches);
  root.dataset.theme = dark ? 'light' : 'dark';
  document.cookie = `endcap_theme=${root.dataset.theme}; path=/; max-age=31536000; samesite=lax`;
}

// The drawer

const drawer = one('dialog.drawer');

async function know() {
  const answer = await fetch('/shop/you?part=1', { headers: { accept: 'text/html' } });
  if (!answer.ok) throw new Error(answer.statusText);
  one('[data-drawer]').innerHTML = await answer.text(); // a page of our own, escaped on the server
}

// What forms do

const forms = {
  async buy(form, submitter) {
    const answer = await send(form, 'application/json', submitter);
    if (!answer.ok) throw new Error(answer.statusText);
    const { pieces, variant, before } = await answer.json();
    const { form: mine, item_id } = form.elements;
    count(pieces);
    say(form.dataset.said, { fields: { form: mine.value, item_id: item_id.value, variant, change: 'set', quantity: before } });
    changed();
  },
  async line(form, submitter) {
    const answer = await send(form, 'text/html', submitter);
    if (!answer.ok) throw new Error(answer.statusText);
    if (submitter?.dataset.said) {
      const fields = { ...Object.fromEntries(new FormData(form)), quantity: submitter.dataset.before };
      say(submitter.dataset.said, { fields, after: () => location.reload() }, false);
    }
    const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
    const main = one('main');
    for (const part of ['.split', '.empty']) {
      const now = page.querySelector(part);
      if (now && main.querySelector('.split')) main.querySelector('.split').replaceWith(now);
    }
    const shelf = page.querySelector('endcap-shelf');
    for (const name of ['heading', 'slot', 'cart']) {
      const value = shelf.getAttribute(name);
      if (value === null) main.querySelector('endcap-shelf').removeAttribute(name);
      else main.querySelector('endcap-shelf').setAttribute(name, value);
    }
    count(Number(page.querySelector('[data-count]').textContent));
    const same = [...main.querySelectorAll('.lines [name=item_id]')].find((field) => field.value === form.elements.item_id.value
      && field.form.elements.variant.value === form.elements.variant.value);
    (same?.form.elements.quantity || main).focus({ preventScroll: true });
    changed();
  },
};

document.addEventListener('submit', async (event) => {
  const form = event.target;
  if (form.dataset.do === 'forget') dispatchEvent(new Event('endcap:forget')); // nothing is sent after it
  const run = forms[form.dataset.do];
  if (!run) return;
  event.preventDefault();
  try { await run(form, event.submitter); } catch { form.submit(); }
});

document.addEventListener('change', ({ target }) => {
  const form = target.closest('form');
  if (form?.dataset.do === 'filters' && matchMedia('(min-width: 56rem)').matches) form.requestSubmit();
  if (form?.dataset.do === 'line' && target.checkValidity()) form.requestSubmit();
});

document.addEventListener('click', async (event) => {
  const target = event.target.closest('[data-do]');
  if (target?.dataset.do === 'theme') theme();
  if (target?.dataset.do === 'undo') takeBack();
  if (target?.dataset.do === 'drawer' && !event.metaKey && !event.ctrlKey) {
    event.preventDefault();
    try { await know(); drawer.showModal(); } catch { location.assign(target.href); }
  }
  if (event.target === drawer) drawer.close();
});

addEventListener('endcap:changed', () => { if (drawer.open) know().catch(() => {}); });
addEventListener('pageshow', ({ persisted }) => { if (persisted) changed(); }); // the past went on meanwhile

// A photo that cannot be loaded becomes its tile; some have failed before this ran.

function tile(image) {
  if (image.tagName === 'IMG' && image.src.includes('/photo/') && !image.src.endsWith('?tile=')) {
    image.parentNode.querySelector('source')?.remove();
    image.src += '?tile=';
  }
}

document.addEventListener('error', ({ target }) => tile(target), true);
for (const image of document.images) if (image.complete && !image.naturalWidth) tile(image);
