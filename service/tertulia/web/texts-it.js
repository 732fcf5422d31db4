/** @import { Catalogue } from "./texts.js" */

/**
 * The page's words in Italian.
 * @type {Catalogue}
 */
export const IT = {
  "entrance.tagline": "Entra, siediti, fai due chiacchiere.",
  "entrance.name": "Il tuo nome",
  "entrance.name_hint": "Fino a 32 lettere, cifre e . _ + -",
  "entrance.password": "Password",
  "entrance.password_hint": "Solo se il nome ha un account",
  "entrance.enter": "Entra",
  "entrance.cancel": "Annulla",
  "entrance.entering": "Sto entrando…",
  "entrance.unreachable": "Il servizio non è raggiungibile. Nuovo tentativo…",

  "refused.invalid_nickname":
    "«{name}» non si può usare. Un nome ha fino a 32 lettere (senza accenti), cifre e . _ + -; " +
    "alcune parole, come G o stop, sono riservate.",
  "refused.nickname_taken":
    "«{name}» è già in uso, oppure ha un account e vuole la sua password. Prova un altro nome.",
  "refused.banned": "«{name}», o il luogo da cui ti colleghi, è escluso da questa chat.",
  "refused.meanwhile":
    "Mentre la connessione era interrotta qualcun altro è entrato come «{name}». Scegli un altro nome.",
  "refused.error": "Il servizio non ha capito: {reason}",
  "refused.other": "«{name}» è stato rifiutato: {reason}",

  "ended.left": "Sei uscito dalla chat. A presto!",
  "ended.chat_closed": "La chat è stata chiusa.",
  "ended.closed": "{name} ha chiuso la chat.",
  "ended.closed_by_you": "Hai chiuso la chat.",
  "ended.displaced": "Il tuo nome ora è in uso in un’altra finestra o su un altro dispositivo.",
  "ended.kicked": "Un operatore ti ha allontanato dalla chat.",
  "ended.kicked_because": "Un operatore ti ha allontanato dalla chat: {because}",
  "ended.banned": "Sei escluso da questa chat.",
  "ended.banned_because": "Sei escluso da questa chat: {because}",
  "ended.long_lines": "Il servizio ha chiuso la connessione: troppi messaggi erano troppo lunghi.",
  "ended.too_many_from_address":
    "Ci sono troppe connessioni dal tuo indirizzo. Chiudi un’altra finestra e riprova.",
  "ended.other": "Il servizio ha chiuso la connessione: {reason}",

  "status.inside": "Connesso",
  "status.opening": "Connessione in corso…",
  "status.asking": "Connessione in corso…",
  "status.waiting": "Connessione persa. Riconnessione…",
  "status.restarting": "Il servizio si riavvia. Riconnessione…",
  "status.leaving": "In uscita…",
  "status.hurry": "Riprova ora",
  "status.queued": {
    one: "{count} messaggio sarà inviato dopo.",
    other: "{count} messaggi saranno inviati dopo.",
  },

  "head.people": { one: "{count} persona", other: "{count} persone" },
  "head.people_hint": "Scegli a chi scrivere",
  "head.close": "Chiudi la chat",
  "head.leave": "Esci",

  "people.title": "Nella sala",
  "people.everybody": "Tutti",
  "people.you": "tu",
  "people.administrator": "admin",
  "people.more": { one: "e {count} altro", other: "e altri {count}" },
  "people.narrow": {
    one: "e {count} altro: scrivi per cercare",
    other: "e altri {count}: scrivi per cercare",
  },
  "people.absent": "assente",

  "write.to": "A",
  "write.to_hint": "G vuol dire tutti",
  "write.text": "Messaggio",
  "write.placeholder": "Scrivi a tutti",
  "write.placeholder_private": "Scrivi in privato a {name}",
  "write.placeholder_self": "Una nota per te",
  "write.send": "Invio",
  "write.absent": "«{name}» ora non è qui",
  "write.too_long": {
    one: "Troppo lungo di {count} byte.",
    other: "Troppo lungo di {count} byte.",
  },
  "write.too_many": "Troppi messaggi attendono di essere inviati. Aspetta un momento.",
  "write.left_over": { one: "ancora {count} byte", other: "ancora {count} byte" },

  "log.title": "Conversazione",
  "log.pending": "In partenza",
  "log.waiting": "in attesa",
  "log.underway": "invio…",
  "log.more_pending": { one: "e {count} altro in partenza", other: "e altri {count} in partenza" },
  "log.new": { one: "{count} nuovo messaggio", other: "{count} nuovi messaggi" },
  "log.to_end": "Vai alla fine",
  "log.you": "tu",
  "log.private": "privato",
  "log.private_to": "privato a {name}",
  "log.private_to_you": "privato, a te stesso",
  "log.failed": "non inviato",
  "log.kept": "{name} non c’è e lo avrà al ritorno",
  "log.undelivered": "non consegnato",
  "log.unanswered": "inviato; la connessione è caduta prima della risposta",
  "log.joined": { one: "{names} si è unito", other: "{names} si sono uniti" },
  "log.left": { one: "{names} si è disconnesso", other: "{names} si sono disconnessi" },
  "log.and_more": { one: "{count} altro", other: "altri {count}" },

  "failed.unknown_recipient": "Non inviato: qui non c’è nessuno di nome «{name}».",
  "failed.mailbox_full": "Non inviato: per «{name}» sono già in attesa troppi messaggi.",
  "failed.unknown_self": "Non inviato: qui non puoi scrivere a te stesso.",
  "failed.ended": "Non inviato: la sessione è finita prima.",
  "failed.unsure": "Non si sa se sia stato inviato: nel frattempo il servizio ha perso la memoria.",
  "failed.error": "Non inviato. Il servizio dice: {detail}",
  "failed.other": "Non inviato: {reason}",

  "notice.entered": "Sei entrato come {name}.",
  "notice.first":
    "Sei entrato come {name} e hai aperto questa chat: ne sei l’amministratore e puoi chiuderla.",
  "notice.administrator": "Ora sei amministratore e puoi chiudere la chat.",
  "notice.no_administrator": "Non sei più amministratore.",
  "notice.missed": "Una parte di quanto si è detto mentre non c’eri manca.",
  "notice.gap": "Qui manca una parte di quanto si è detto.",
  "notice.undelivered": "Il tuo messaggio privato a {name} non è stato consegnato: «{text}»",
  "notice.forbidden": "Permesso negato: non puoi chiudere questa chat.",
  "notice.slowed": "Scrivi troppo in fretta: quello che scrivi passa più lentamente, ma tutto.",
  "notice.error": "Il servizio non ha capito qualcosa: {reason}",

  "close.title": "Chiudere la chat?",
  "close.text": {
    one: "Non c’è nessun altro. Torni all’ingresso; chi entra dopo riapre la chat.",
    other: "Tutti e {count} tornate all’ingresso; chi entra dopo riapre la chat.",
  },
  "close.confirm": "Chiudi la chat",
  "close.cancel": "Continua a parlare",
};
