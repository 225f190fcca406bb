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

// A page whose figures are still being made; a refresh by the browser is announced to nobody, and axe counts it as a fault.
if (document.querySelector('[data-reload]')) setTimeout(() => location.reload(), 2000);

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

// Conditions: the server makes their rows and shows what they match, here without loading the page anew
for (const builder of document.querySelectorAll('[data-conditions]')) {
  const form = builder.closest('form');
  const matches = form.querySelector('.matches');
  let asked = 0;
  const change = async (action, rows) => {
    const mine = (asked += 1);
    const body = new URLSearchParams(new FormData(form));
    body.set('do', action);
    matches.setAttribute('aria-busy', 'true');
    const answer = await fetch(builder.dataset.conditions, { method: 'POST', body }).catch(() => null);
    if (mine !== asked) return; // an earlier answer that came later
    matches.removeAttribute('aria-busy');
    if (!answer?.ok) return;
    const parts = await answer.json();
    matches.innerHTML = parts.matches;
    if (!rows) return;
    const name = document.activeElement?.name;
    builder.innerHTML = parts.builder;
    const all = [...builder.querySelectorAll('select, input:not([type=hidden]), textarea')];
    const place = action === 'add' ? all.filter((each) => each.name.startsWith('column-')).at(-1)
      : action.startsWith('or-') ? all.filter((each) => each.name === `value-${action.slice(3)}`).at(-1)
        : name === 'do' ? builder.querySelector(`.tab[value="${action}"]`) ?? all[0]
          : all.find((each) => each.name === name);
    place?.focus();
  };
  const look = later(() => change('', false));
  builder.addEventListener('input', ({ target }) => { if (!('opens' in target.dataset)) look(); });
  builder.addEventListener('change', ({ target }) => { if ('opens' in target.dataset) change('', true); });
  builder.addEventListener('click', (event) => {
    const button = event.target.closest('button[name=do]');
    if (!button) return;
    event.preventDefault();
    change(button.value, true);
  });
}

/** The picture of a product. */
function pictured(id) {
  const picture = new Image(44, 44);
  picture.src = `/console/photo?item=${encodeURIComponent(id)}`;
  picture.alt = '';
  picture.className = 'tile';
  return picture;
}

// Products by their titles, for who does not know their ids
for (const field of document.querySelectorAll('[data-find]')) {
  const ids = field.querySelector('textarea');
  const finder = field.querySelector('.finder');
  const input = finder.querySelector('input');
  const list = finder.querySelector('.found');
  const said = finder.querySelector('.count');
  finder.querySelector('.button').hidden = true; // what is typed is looked for at once
  const chosen = () => ids.value.split('\n').map((line) => line.trim()).filter(Boolean);
  const picks = field.querySelector('.picks');
  ids.addEventListener('input', () => {
    for (const pick of picks.children) if (!chosen().includes(pick.dataset.id)) pick.remove();
  });
  const take = (id, title) => {
    if (!chosen().includes(id)) {
      const pick = document.createElement('li');
      const name = document.createElement('span');
      pick.className = 'pick-line';
      pick.dataset.id = id;
      name.textContent = title;
      name.dir = 'auto';
      pick.append(pictured(id), name);
      picks.append(pick);
    }
    ids.value = [...new Set([...chosen(), id])].join('\n');
    list.replaceChildren();
    said.textContent = '';
    input.value = '';
    input.focus();
  };
  let asked = 0;
  const look = async () => {
    const mine = (asked += 1);
    const text = input.value.trim();
    const nothing = { products: [], text: '' };
    const found = text ? await ask(field.dataset.find, { q: text }).catch(() => nothing) : nothing;
    if (mine !== asked) return;
    said.textContent = found.text;
    list.replaceChildren(...found.products.map(({ id, title }) => {
      const button = document.createElement('button');
      const code = document.createElement('code');
      const name = document.createElement('span');
      button.type = 'button';
      code.textContent = id;
      name.textContent = title;
      name.dir = 'auto';
      button.append(pictured(id), code, name);
      button.addEventListener('click', () => take(id, title));
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
