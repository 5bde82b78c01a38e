// Sends what was dropped as one stream, with progress, and reads what becomes of each study line by line.
//
// The body is a line of JSON with the size of each file and the number of its folder, then the bytes of the files.
// Names are never sent: they may hold a patient's.

export class UploadError extends Error {
  constructor(what, todo) {
    super(what);
    this.todo = todo;
  }
}

const LOST = ["The connection to the server was lost.", "Check that Overread still runs, then drop the files again."];
const GONE = ["This page was closed by the server.", "Load it again, then drop the files again."];

// files: [{file, folder}]. heard: {progress(sent, total), line(object)}. Gives {done, cancel}.
export function send(address, files, heard) {
  const head = JSON.stringify({ files: files.map(({ file, folder }) => [file.size, folder]) }) + "\n";
  const body = new Blob([head, ...files.map(({ file }) => file)]);
  const request = new XMLHttpRequest();
  const done = new Promise((resolve, reject) => {
    let read = 0;
    const lines = () => {
      const text = request.responseText;
      for (let end = text.indexOf("\n", read); end >= 0; end = text.indexOf("\n", read)) {
        heard.line(JSON.parse(text.slice(read, end)));
        read = end + 1;
      }
    };
    request.upload.onprogress = (event) => heard.progress(event.loaded, event.total);
    request.onprogress = () => request.status === 200 && lines();
    request.onload = () => {
      if (request.status === 200) {
        lines();
        resolve();
      } else {
        reject(refusal(request));
      }
    };
    request.onerror = () => reject(new UploadError(...LOST));
    request.onabort = () => resolve();
  });
  request.open("POST", address);
  request.setRequestHeader("Content-Type", "application/octet-stream");
  request.send(body);
  return { done, cancel: () => request.abort() };
}

function refusal(request) {
  if (request.status === 404) return new UploadError(...GONE);
  try {
    const { what, todo } = JSON.parse(request.responseText);
    if (what) return new UploadError(what, todo);
  } catch {
    // No words of ours: another server stands between.
  }
  return new UploadError(...LOST);
}
