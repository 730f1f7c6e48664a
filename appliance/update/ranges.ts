/** Blocks `from` up to and with `to`, as one request asks for them. */
export interface BlockRange {
  from: number
  to: number
}

/** Each request costs a redirect and two round trips; a block in between that is fetched for nothing costs 64 KiB. */
export const MAX_REQUESTS = 128

/**
 * Few ranges that cover `blocks` (ascending). Neighbours and those with one block between them are always joined; beyond `maxRanges`
 * the smallest gaps are closed first.
 */
export function coalesce(blocks: readonly number[], maxRanges = MAX_REQUESTS): BlockRange[] {
  const ranges = join(blocks, 1)
  if (ranges.length <= maxRanges) return ranges
  const gaps = ranges
    .slice(1)
    .map((range, index) => range.from - (ranges[index]?.to ?? 0) - 1)
    .sort((a, b) => a - b)
  return join(blocks, gaps[ranges.length - maxRanges - 1] ?? 1)
}

function join(blocks: readonly number[], gap: number): BlockRange[] {
  const ranges: BlockRange[] = []
  for (const block of blocks) {
    const last = ranges.at(-1)
    if (last && block - last.to - 1 <= gap) last.to = block
    else ranges.push({ from: block, to: block })
  }
  return ranges
}
