// What a visitor sees of a page's products, shadow roots included. Runs before every page; shelves.py asks it.

{ // pages.py has names of its own
const roots = (root) => [root, ...[...root.querySelectorAll('*')].filter((each) => each.shadowRoot)
  .flatMap((each) => roots(each.shadowRoot))];
const all = (selector) => roots(document).flatMap((root) => [...root.querySelectorAll(selector)]);
const seen = (element) => element.checkVisibility({ visibilityProperty: true });
const near = (root, element, selector) => element?.closest(selector)?.querySelector(root);

/** Scrolls to the end and back, so that every shelf asks for its products, and waits until all have answered. */
window.settled = async () => {
  const pause = (ms) => new Promise((done) => setTimeout(done, ms));
  const until = performance.now() + 20000;
  const busy = () => document.readyState !== 'complete' || all('endcap-shelf').filter(seen)
    .some((each) => each.shadowRoot?.querySelector('[aria-busy]')?.getAttribute('aria-busy') !== 'false');
  for (let y = 0; y < document.documentElement.scrollHeight; y += 600) { scrollTo(0, y); await pause(40); }
  while (busy() && performance.now() < until) await pause(50);
  scrollTo(0, 0);
  await pause(150);
  return !busy();
};

/** Of a photo: how much of it is visible in its frame, and how many times its size it is drawn. null: no photo. */
function photo(image, frame) {
  const source = image && performance.getEntriesByName(image.currentSrc)[0];
  if (!image?.naturalWidth || !source || source.contentType?.startsWith('image/svg')) return null;
  const { objectFit, objectPosition } = getComputedStyle(image);
  const box = image.getBoundingClientRect();
  const [wide, high] = [box.width / image.naturalWidth, box.height / image.naturalHeight];
  const times = { contain: Math.min(wide, high), cover: Math.max(wide, high), none: 1,
    'scale-down': Math.min(wide, high, 1) }[objectFit];
  const size = times ? [image.naturalWidth * times, image.naturalHeight * times] : [box.width, box.height];
  const place = objectPosition.split(' ').map((each) => (each.endsWith('%') ? parseFloat(each) / 100 : 0.5));
  const left = box.left + (box.width - size[0]) * place[0];
  const top = box.top + (box.height - size[1]) * place[1];
  let [x0, y0, x1, y1] = [Math.max(left, box.left), Math.max(top, box.top), Math.min(left + size[0], box.right),
    Math.min(top + size[1], box.bottom)];
  for (let each = image.parentElement; each && each !== frame.parentElement; each = each.parentElement) {
    if (getComputedStyle(each).overflow === 'visible') continue;
    const clip = each.getBoundingClientRect();
    [x0, y0, x1, y1] = [Math.max(x0, clip.left), Math.max(y0, clip.top), Math.min(x1, clip.right), Math.min(y1, clip.bottom)];
  }
  const visible = Math.max(0, x1 - x0) * Math.max(0, y1 - y0) / (size[0] * size[1]);
  return { visible: Math.min(1, visible), times: Math.max(size[0] / image.naturalWidth, size[1] / image.naturalHeight) };
}

/** A card: its product, its words, and whether they stay inside it. */
function card(element) {
  const link = element.matches('a') ? element : element.querySelector('a[href*="/shop/product/"]');
  const text = (selector) => element.querySelector(selector)?.textContent.trim() ?? '';
  const price = element.querySelector('[part~=price], .price');
  const edge = element.getBoundingClientRect().right + 1;
  const words = [...element.querySelectorAll('[part~=title], [part~=price], [part~=reason], .name, .by, .price')].filter(seen);
  return {
    id: decodeURIComponent(link.pathname.split('/shop/product/')[1]),
    title: text('[part~=title], .name'),
    priced: Boolean(price?.textContent.trim()),
    hole: Boolean(price && !price.textContent.trim() && price.offsetHeight > 0),
    over: words.some((each) => each.scrollWidth > each.clientWidth + 1 && getComputedStyle(each).display !== 'inline'
      || each.getBoundingClientRect().right > edge),
    top: element.getBoundingClientRect().top + scrollY,
    photo: photo(element.querySelector('img'), element),
  };
}

/** Every list of cards on the page, from its top: heading, slot, cards. */
window.lists = () => {
  const found = new Map();
  for (const element of all('[part~=card], .card')) {
    const link = element.matches('a') ? element : element.querySelector('a[href*="/shop/product/"]');
    const list = element.closest('ul');
    if (!list || !seen(element) || !link?.pathname.startsWith('/shop/product/')) continue;
    if (!found.has(list)) found.set(list, []);
    found.get(list).push(card(element));
  }
  return [...found].map(([list, cards]) => {
    const host = list.getRootNode().host;
    const heading = host ? list.getRootNode().querySelector('[part=heading], h2') : near('h2', list, 'section') ?? document.querySelector('h1');
    return { heading: heading?.textContent.trim() ?? '', slot: host?.getAttribute('slot') ?? '', top: list.getBoundingClientRect().top + scrollY, cards };
  }).sort((one, other) => one.top - other.top);
};

/** The photo of a product's own page. */
window.productPhoto = () => {
  const image = document.querySelector('main .picture img');
  return image && photo(image, document.querySelector('main .picture'));
};
}
