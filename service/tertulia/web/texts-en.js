/** The page's words in English. */
export const EN = {
  "entrance.tagline": "Come in, take a seat, join the talk.",
  "entrance.name": "Your name",
  "entrance.name_hint": "Up to 32 letters, digits and . _ + -",
  "entrance.password": "Password",
  "entrance.password_hint": "Only if this name has an account",
  "entrance.enter": "Come in",
  "entrance.cancel": "Cancel",
  "entrance.entering": "Coming in…",
  "entrance.unreachable": "The service can’t be reached. Trying again…",

  "refused.invalid_nickname":
    "“{name}” can’t be used here. A name has up to 32 letters (without accents), digits and . _ + -; " +
    "a few words, such as G or stop, are reserved.",
  "refused.nickname_taken":
    "“{name}” is in use, or has an account and needs its right password. Please try another name.",
  "refused.meanwhile":
    "While the connection was lost, somebody else came in as “{name}”. Please choose another name.",
  "refused.error": "The service did not understand that: {reason}",
  "refused.other": "“{name}” was refused: {reason}",

  "ended.left": "You have left. See you soon!",
  "ended.chat_closed": "The chat was closed.",
  "ended.closed": "{name} closed the chat.",
  "ended.closed_by_you": "You closed the chat.",
  "ended.displaced": "Your name is in use in another window or on another device now.",
  "ended.long_lines": "The service ended the connection: too many messages were too long.",
  "ended.too_many_from_address":
    "There are too many connections from your address. Close another window and try again.",
  "ended.other": "The service ended the connection: {reason}",

  "status.inside": "Connected",
  "status.opening": "Connecting…",
  "status.asking": "Connecting…",
  "status.waiting": "Connection lost. Reconnecting…",
  "status.leaving": "Leaving…",
  "status.hurry": "Try now",
  "status.queued": {
    one: "{count} message will be sent then.",
    other: "{count} messages will be sent then.",
  },

  "head.people": { one: "{count} person", other: "{count} people" },
  "head.people_hint": "Choose whom to write to",
  "head.close": "Close chat",
  "head.leave": "Leave",

  "people.title": "In the room",
  "people.everybody": "Everybody",
  "people.you": "you",
  "people.administrator": "admin",
  "people.more": { one: "and {count} more", other: "and {count} more" },
  "people.narrow": {
    one: "and {count} more: type to find",
    other: "and {count} more: type to find",
  },
  "people.absent": "not here",

  "write.to": "To",
  "write.to_hint": "G is everybody",
  "write.text": "Message",
  "write.placeholder": "Write to everybody",
  "write.placeholder_private": "Write to {name} in private",
  "write.placeholder_self": "A note to yourself",
  "write.send": "Send",
  "write.absent": "“{name}” is not here now",
  "write.too_long": {
    one: "Too long by {count} byte.",
    other: "Too long by {count} bytes.",
  },
  "write.too_many": "Too many messages wait to be sent. Please wait a moment.",
  "write.left_over": { one: "{count} byte left", other: "{count} bytes left" },

  "log.title": "Conversation",
  "log.pending": "Being sent",
  "log.waiting": "waiting",
  "log.underway": "sending…",
  "log.more_pending": {
    one: "and {count} more on its way",
    other: "and {count} more on their way",
  },
  "log.new": { one: "{count} new message", other: "{count} new messages" },
  "log.to_end": "To the latest",
  "log.you": "you",
  "log.private": "private",
  "log.private_to": "private to {name}",
  "log.private_to_you": "private, to yourself",
  "log.failed": "not sent",
  "log.kept": "{name} is away and will get it on coming back",
  "log.undelivered": "not delivered",
  "log.unanswered": "sent; the connection broke before the answer came",
  "log.joined": { one: "{names} joined", other: "{names} joined" },
  "log.left": { one: "{names} left", other: "{names} left" },
  "log.and_more": { one: "{count} more", other: "{count} more" },

  "failed.unknown_recipient": "Not sent: nobody called “{name}” is here.",
  "failed.unknown_self": "Not sent: you can’t write to yourself here.",
  "failed.ended": "Not sent: the session ended first.",
  "failed.unsure": "It is not known whether this was sent: the service lost its memory meanwhile.",
  "failed.error": "Not sent. The service says: {detail}",
  "failed.other": "Not sent: {reason}",

  "notice.entered": "You are in, as {name}.",
  "notice.first":
    "You are in, as {name}, and opened this chat: you are its administrator and can close it.",
  "notice.administrator": "You are the administrator now, and can close the chat.",
  "notice.no_administrator": "You are not the administrator any more.",
  "notice.missed": "A part of what was said while you were away is missing here.",
  "notice.undelivered": "Your private message to {name} could not be delivered: “{text}”",
  "notice.forbidden": "You may not close this chat.",
  "notice.error": "The service did not understand something: {reason}",

  "close.title": "Close the chat?",
  "close.text": {
    one: "Nobody else is here. You are taken back to the entrance; who comes in next opens the chat anew.",
    other: "All {count} of you are taken back to the entrance; who comes in next opens the chat anew.",
  },
  "close.confirm": "Close the chat",
  "close.cancel": "Keep talking",
};
