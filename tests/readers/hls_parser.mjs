// Reads an HLS playlist and the playlists it names with npm hls-parser; prints {errors, parsed} as JSON.
// Called by hls_parser.py: node hls_parser.mjs /path/to/index.m3u8

import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import HLS from "hls-parser";

const KINDS = ["audio", "video", "subtitles", "closedCaptions"];

// Strict mode throws at the first fault; the lenient mode still finds the other playlists' names.
function parse(text, options) {
  HLS.setOptions({ silent: true, ...options });
  return HLS.parse(text);
}

function read(path, name, errors) {
  let text;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    errors.push(`${name}: cannot be read (${error.code})`);
    return null;
  }
  try {
    return parse(text, { strictMode: true });
  } catch (error) {
    errors.push(`${name}: ${error.message}`);
  }
  try {
    return parse(text, { strictMode: false });
  } catch {
    return null;
  }
}

function mediaSummary(playlist) {
  return {
    version: playlist.version ?? null,
    playlistType: playlist.playlistType ?? null,
    targetDuration: playlist.targetDuration ?? null,
    independentSegments: Boolean(playlist.independentSegments),
    endlist: playlist.endlist,
    maps: [...new Set(playlist.segments.map((segment) => segment.map?.uri ?? null))],
    segments: playlist.segments.map((segment) => ({
      uri: segment.uri,
      duration: segment.duration,
      discontinuity: Boolean(segment.discontinuity),
    })),
  };
}

function variantSummary(variant) {
  return {
    uri: variant.uri,
    isIFrameOnly: Boolean(variant.isIFrameOnly),
    bandwidth: variant.bandwidth,
    averageBandwidth: variant.averageBandwidth ?? null,
    codecs: variant.codecs ?? null,
    resolution: variant.resolution ?? null,
    frameRate: variant.frameRate ?? null,
    videoRange: variant.videoRange ?? null,
    audio: variant.audio[0]?.groupId ?? null,
  };
}

function renditionSummary(rendition) {
  return {
    type: rendition.type,
    groupId: rendition.groupId,
    name: rendition.name,
    uri: rendition.uri ?? null,
    language: rendition.language ?? null,
    channels: rendition.channels ?? null,
    isDefault: Boolean(rendition.isDefault),
    autoselect: Boolean(rendition.autoselect),
  };
}

function readStream(index) {
  const errors = [];
  const parsed = { variants: [], renditions: [], playlists: {} };
  const name = index.split("/").pop();
  const main = read(index, name, errors);
  if (!main) return { errors, parsed };
  if (!main.isMasterPlaylist) {
    parsed.playlists[name] = mediaSummary(main);
    return { errors, parsed };
  }

  const renditions = new Map(); // every variant names its groups again
  for (const variant of main.variants) {
    parsed.variants.push(variantSummary(variant));
    for (const rendition of KINDS.flatMap((kind) => variant[kind])) {
      renditions.set(`${rendition.type}/${rendition.groupId}/${rendition.name}`, renditionSummary(rendition));
    }
  }
  parsed.renditions = [...renditions.values()];

  const uris = [...parsed.variants, ...parsed.renditions].map((each) => each.uri);
  for (const uri of new Set(uris.filter(Boolean))) {
    const media = read(resolve(dirname(index), decodeURIComponent(uri)), uri, errors);
    if (media?.isMasterPlaylist) errors.push(`${uri}: is a multivariant playlist, a media playlist was promised`);
    else if (media) parsed.playlists[uri] = mediaSummary(media);
  }
  return { errors, parsed };
}

process.stdout.write(JSON.stringify(readStream(resolve(process.argv[2]))));
