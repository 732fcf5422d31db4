/** @import { Catalogue } from "./texts.js" */

/**
 * The page's words in Spanish.
 * @type {Catalogue}
 */
export const ES = {
  "entrance.tagline": "Pasa, siéntate y únete a la charla.",
  "entrance.name": "Tu nombre",
  "entrance.name_hint": "Hasta 32 letras, cifras y . _ + -",
  "entrance.password": "Contraseña",
  "entrance.password_hint": "Solo si el nombre tiene cuenta",
  "entrance.enter": "Entrar",
  "entrance.cancel": "Cancelar",
  "entrance.entering": "Entrando…",
  "entrance.unreachable": "No se puede llegar al servicio. Se intentará otra vez…",

  "refused.invalid_nickname":
    "«{name}» no se puede usar aquí. Un nombre tiene hasta 32 letras (sin acentos), cifras y . _ + -; " +
    "algunas palabras, como G o stop, están reservadas.",
  "refused.nickname_taken":
    "«{name}» ya está en uso, o tiene cuenta y necesita su contraseña. Prueba con otro nombre.",
  "refused.banned": "«{name}», o el lugar desde donde te conectas, tiene vetada esta charla.",
  "refused.meanwhile":
    "Mientras no había conexión, otra persona entró como «{name}». Elige otro nombre.",
  "refused.error": "El servicio no lo ha entendido: {reason}",
  "refused.other": "«{name}» fue rechazado: {reason}",

  "ended.left": "Has salido de la charla. ¡Hasta pronto!",
  "ended.chat_closed": "Se ha cerrado la charla.",
  "ended.closed": "{name} ha cerrado la charla.",
  "ended.closed_by_you": "Has cerrado la charla.",
  "ended.displaced": "Tu nombre está ahora en uso en otra ventana o en otro dispositivo.",
  "ended.kicked": "Un operador te ha sacado de la charla.",
  "ended.kicked_because": "Un operador te ha sacado de la charla: {because}",
  "ended.banned": "Tienes vetada esta charla.",
  "ended.banned_because": "Tienes vetada esta charla: {because}",
  "ended.long_lines":
    "El servicio ha cerrado la conexión: demasiados mensajes eran demasiado largos.",
  "ended.too_many_from_address":
    "Hay demasiadas conexiones desde tu dirección. Cierra otra ventana e inténtalo de nuevo.",
  "ended.other": "El servicio ha cerrado la conexión: {reason}",

  "status.inside": "Conexión activa",
  "status.opening": "Conectando…",
  "status.asking": "Conectando…",
  "status.waiting": "Sin conexión. Reconectando…",
  "status.restarting": "El servicio se reinicia. Reconectando…",
  "status.leaving": "Saliendo…",
  "status.hurry": "Probar ahora",
  "status.queued": {
    one: "{count} mensaje se enviará después.",
    other: "{count} mensajes se enviarán después.",
  },

  "head.people": { one: "{count} persona", other: "{count} personas" },
  "head.people_hint": "Elige a quién escribir",
  "head.close": "Cerrar la charla",
  "head.leave": "Salir",

  "people.title": "En la sala",
  "people.everybody": "Todos",
  "people.you": "tú",
  "people.administrator": "admin",
  "people.more": { one: "y {count} más", other: "y {count} más" },
  "people.narrow": {
    one: "y {count} más: escribe para buscar",
    other: "y {count} más: escribe para buscar",
  },
  "people.absent": "ausente",

  "write.to": "Para",
  "write.to_hint": "G quiere decir todos",
  "write.text": "Mensaje",
  "write.placeholder": "Escribe a todos",
  "write.placeholder_private": "Escribe a {name} en privado",
  "write.placeholder_self": "Una nota para ti",
  "write.send": "Enviar",
  "write.absent": "«{name}» no está ahora",
  "write.too_long": {
    one: "Demasiado largo: sobra {count} byte.",
    other: "Demasiado largo: sobran {count} bytes.",
  },
  "write.too_many": "Hay demasiados mensajes por enviar. Espera un momento.",
  "write.left_over": { one: "queda {count} byte", other: "quedan {count} bytes" },

  "log.title": "Conversación",
  "log.pending": "Por enviar",
  "log.waiting": "en espera",
  "log.underway": "enviando…",
  "log.more_pending": { one: "y {count} más por enviar", other: "y {count} más por enviar" },
  "log.new": { one: "{count} mensaje nuevo", other: "{count} mensajes nuevos" },
  "log.to_end": "Ir al final",
  "log.you": "tú",
  "log.private": "privado",
  "log.private_to": "privado para {name}",
  "log.private_to_you": "privado, para ti",
  "log.failed": "no enviado",
  "log.kept": "{name} no está y lo recibirá al volver",
  "log.undelivered": "no entregado",
  "log.unanswered": "enviado; la conexión se cortó antes de la respuesta",
  "log.joined": { one: "{names} se ha unido", other: "{names} se han unido" },
  "log.left": { one: "{names} se ha ido", other: "{names} se han ido" },
  "log.and_more": { one: "{count} más", other: "{count} más" },

  "failed.unknown_recipient": "No enviado: aquí no hay nadie llamado «{name}».",
  "failed.mailbox_full": "No enviado: a «{name}» ya le esperan demasiados mensajes.",
  "failed.unknown_self": "No enviado: aquí no puedes escribirte a ti.",
  "failed.ended": "No enviado: la sesión terminó antes.",
  "failed.unsure": "No se sabe si se envió: mientras tanto el servicio ha perdido la memoria.",
  "failed.error": "No enviado. El servicio dice: {detail}",
  "failed.other": "No enviado: {reason}",

  "notice.entered": "Has entrado como {name}.",
  "notice.first":
    "Has entrado como {name} y has abierto esta charla: la administras y puedes cerrarla.",
  "notice.administrator": "Ahora administras la charla y puedes cerrarla.",
  "notice.no_administrator": "Ya no administras la charla.",
  "notice.missed": "Falta una parte de lo que se dijo mientras no estabas.",
  "notice.gap": "Aquí falta una parte de lo que se dijo.",
  "notice.undelivered": "Tu mensaje privado para {name} no se pudo entregar: «{text}»",
  "notice.forbidden": "No tienes permiso para cerrar esta charla.",
  "notice.slowed": "Escribes demasiado rápido: lo que escribes pasa más despacio, pero todo.",
  "notice.error": "El servicio no ha entendido algo: {reason}",

  "close.title": "¿Cerrar la charla?",
  "close.text": {
    one: "No hay nadie más. Vuelves a la entrada; quien entre después abre la charla de nuevo.",
    other: "Los {count} volvéis a la entrada; quien entre después abre la charla de nuevo.",
  },
  "close.confirm": "Cerrar la charla",
  "close.cancel": "Seguir hablando",
};
