"""From a catalogue and a folder, a zip or addresses of photos to decoded pixels: `album.album` does all of it."""
