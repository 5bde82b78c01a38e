// The files of a drop or of a picker, with the number of the folder each lay in, or null.

const UNSEEN = /^(\.|thumbs\.db$|desktop\.ini$)/i;

export function fromPicker(list, isFolder) {
  const numbers = new Map();
  return [...list]
    .filter((file) => !hidden(file.webkitRelativePath || file.name))
    .map((file) => {
      const top = isFolder ? file.webkitRelativePath.split("/")[0] : null;
      if (top !== null && !numbers.has(top)) numbers.set(top, numbers.size);
      return { file, folder: top === null ? null : numbers.get(top) };
    });
}

// Entries must be taken from the event at once: afterwards the browser has forgotten them.
export async function fromDrop(transfer) {
  const entries = [...transfer.items]
    .filter((item) => item.kind === "file")
    .map((item) => item.webkitGetAsEntry?.() ?? item.getAsFile());
  const found = [];
  let folders = 0;
  for (const entry of entries) {
    if (entry instanceof File) found.push({ file: entry, folder: null });
    else if (entry?.isFile) found.push({ file: await fileOf(entry), folder: null });
    else if (entry?.isDirectory) await walk(entry, folders++, found);
  }
  return found.filter(({ file }) => !UNSEEN.test(file.name));
}

function hidden(path) {
  return path.split("/").some((part) => UNSEEN.test(part));
}

async function walk(folder, number, found) {
  const reader = folder.createReader();
  // A reader gives a hundred entries at a time, and none at the end.
  for (let some = await next(reader); some.length; some = await next(reader)) {
    for (const entry of some) {
      if (UNSEEN.test(entry.name)) continue;
      if (entry.isDirectory) await walk(entry, number, found);
      else found.push({ file: await fileOf(entry), folder: number });
    }
  }
}

const next = (reader) => new Promise((resolve, reject) => reader.readEntries(resolve, reject));
const fileOf = (entry) => new Promise((resolve, reject) => entry.file(resolve, reject));
