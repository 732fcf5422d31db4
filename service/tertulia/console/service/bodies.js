/**
 * What the API answers, as far as the console reads it: docs/api.md.
 *
 * @typedef {"say" | "read" | "moderate" | "operate"} Scope
 * @typedef {{ name: string, scopes: Scope[], rooms: string[], chat: string }} Self
 * @typedef {{ name: string, members: number | null, messages: number | null, bytes: number | null, topic: string | null,
 *   is_lasting: boolean, error?: string | null, shard?: string }} RoomItem
 * @typedef {{ nickname: string, until?: string | null, reason?: string | null, by?: string | null }} Mute
 * @typedef {{ name: string, topic?: string | null, members?: number, slow_seconds?: number, accounts_only?: boolean,
 *   outsiders?: boolean, owner?: string | null, moderators?: string[], mutes?: Mute[], is_lasting?: boolean }} RoomBody
 * @typedef {{ id: string, position: string, at: string, nickname: string, is_account?: boolean, text: string,
 *   is_redacted?: boolean }} Message
 * @typedef {{ nickname: string, kind?: string, dialect?: string, since?: string | null, node?: string | null,
 *   address?: string | null }} Person
 * @typedef {{ at: string, by: string, action: string, subject?: string | null, text?: string | null,
 *   value?: string | number | boolean | null }} Audited
 * @typedef {{ kind: "nickname" | "account" | "address", subject: string, until?: string | null,
 *   reason?: string | null, by?: string | null }} Ban
 * @typedef {{ nickname: string, since?: string | null, used?: string | null, is_logged_in?: boolean,
 *   pending?: number }} Account
 * @typedef {{ node: string, registration?: string, state: string, sessions: number, lease_seconds?: number | null,
 *   lag_seconds?: number | null, version?: string | null, host?: string | null }} NodeItem
 * @typedef {{ name: string, room: string, position: string | null, behind: number, failures: number, dead: number,
 *   is_disabled: boolean, relay: string | null }} Webhook
 */
export const LOBBY = "lobby";
