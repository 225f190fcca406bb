// What the pages do beyond links and forms; without this they work all the same.

const root = document.documentElement;

// Light and dark: the cookie is for the server, so that the next page comes in the right colours at once.
for (const button of document.querySelectorAll('[data-theme-toggle]')) {
  button.hidden = false;
  button.addEventListener('click', () => {
    const dark = root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
    root.dataset.theme = dark ? 'light' : 'dark';
    document.cookie = `endcap_theme=${root.dataset.theme}; path=/; max-age=31536000; samesite=lax`;
  });
}

/** Calls a function once the last of several calls is some time past. */
function later(act, wait = 250) {
  let waiting;
  return () => {
    clearTimeout(waiting);
    waiting = setTimeout(act, wait);
  };
}

async function ask(address, query) {
  const answer = await fetch(`${address}?${new URLSearchParams(query)}`, { headers: { accept: 'application/json' } });
  if (!answer.ok) throw new Error(answer.statusText);
  return answer.json();
}

// How many products a filter lets through, while it is written
for (const field of document.querySelectorAll('[data-count]')) {
  const input = field.querySelector('textarea');
  const count = field.querySelector('.count');
  let asked = 0;
  const look = async () => {
    const mine = (asked += 1);
    const text = input.value.trim();
    let found = {};
    if (text) found = await ask(field.dataset.count, { filter: text }).catch(() => ({}));
    if (mine !== asked) return; // an earlier answer that came later
    count.classList.toggle('bad', Boolean(found.problem));
    count.textContent = found.problem ?? found.text ?? '';
  };
  input.addEventListener('input', later(look));
  look();
}

// Products by their titles, for who does not know their ids
for (const field of document.querySelectorAll('[data-find]')) {
  const ids = field.querySelector('textarea');
  const finder = field.querySelector('.finder');
  const input = finder.querySelector('input');
  const list = finder.querySelector('.found');
  finder.hidden = false;
  const take = (id) => {
    ids.value = [...ids.value.split('\n').map((line) => line.trim()).filter(Boolean), id].join('\n');
    list.replaceChildren();
    input.value = '';
    input.focus();
  };
  const look = async () => {
    const text = input.value.trim();
    const found = text ? await ask(field.dataset.find, { q: text }).catch(() => ({ products: [] })) : { products: [] };
    list.replaceChildren(...found.products.map(({ id, title }) => {
      const button = document.createElement('button');
      const code = document.createElement('code');
      const name = document.createElement('span');
      button.type = 'button';
      code.textContent = id;
      name.textContent = title;
      name.dir = 'auto';
      button.append(code, name);
      button.addEventListener('click', () => take(id));
      const item = document.createElement('li');
      item.append(button);
      return item;
    }));
  };
  input.addEventListener('input', later(look));
  input.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter') return;
    event.preventDefault(); // else the form is sent
    list.querySelector('button')?.click();
  });
}

// One question at a time: opening one closes the others
for (const details of document.querySelectorAll('details.confirm')) {
  details.addEventListener('toggle', () => {
    if (!details.open) return;
    for (const other of document.querySelectorAll('details.confirm[open]')) if (other !== details) other.open = false;
  });
}
