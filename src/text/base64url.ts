const ALPHABET = /^[A-Za-z0-9_-]*$/;

/**
 * Decodes base64url (RFC 4648 §5), with or without padding, as UTF-8; invalid UTF-8 becomes U+FFFD. Null: other
 * characters, or a length that no encoder makes.
 */
export function decodeBase64Url(text: string): string | null {
  const bare = text.replace(/={1,2}$/, '');
  if (!ALPHABET.test(bare) || bare.length % 4 === 1) return null;
  const binary = atob(bare.replaceAll('-', '+').replaceAll('_', '/'));
  return new TextDecoder().decode(Uint8Array.from(binary, (char) => char.charCodeAt(0)));
}
