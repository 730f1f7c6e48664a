/** What lets a style through the page's policy; new with each load. */
export const nonce = (): string => document.querySelector<HTMLMetaElement>('meta[name=csp-nonce]')?.content ?? ''
