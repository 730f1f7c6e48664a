/** Tags as a person types them, one `key=value` a line. Pure. */
export const tagLines = (tags: Readonly<Record<string, string>>): string =>
  Object.entries(tags)
    .map(([key, value]) => `${key}=${value}`)
    .join('\n')

/** The other way; `why` names the line that is none. Pure. */
export function readTags(text: string): { tags: Record<string, string>; why?: string } {
  const tags: Record<string, string> = {}
  for (const [index, line] of text.split('\n').entries()) {
    const trimmed = line.trim()
    if (trimmed === '') continue
    const at = trimmed.indexOf('=')
    const key = (at < 0 ? trimmed : trimmed.slice(0, at)).trim()
    if (key === '') return { tags, why: `line ${index + 1}: expected key=value` }
    if (Object.hasOwn(tags, key)) return { tags, why: `line ${index + 1}: "${key}" is there already` }
    tags[key] = at < 0 ? '' : trimmed.slice(at + 1).trim()
  }
  return { tags }
}
