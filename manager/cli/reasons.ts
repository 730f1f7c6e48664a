/** What to tell a person of an error: its message and those of its causes, line by line, without repeating what one already says. */
export function reasons(error: unknown): string[] {
  const lines: string[] = []
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    const { message } = at
    if (!lines.some((line) => line.includes(message))) lines.push(...message.split('\n'))
  }
  return lines.length > 0 ? lines : [String(error)]
}
