/** @import { Words } from "./texts.js" */

/**
 * The page's words in German.
 * @type {Words}
 */
export const DE = {
  "entrance.tagline": "Komm herein, setz dich, rede mit.",
  "entrance.name": "Dein Name",
  "entrance.name_hint": "Bis zu 32 Buchstaben, Ziffern und . _ + -",
  "entrance.password": "Passwort",
  "entrance.password_hint": "Nur wenn der Name ein Konto hat",
  "entrance.free": "Diese sind frei:",
  "entrance.enter": "Eintreten",
  "entrance.cancel": "Abbrechen",
  "entrance.entering": "Du trittst ein…",
  "entrance.unreachable": "Der Dienst ist nicht erreichbar. Neuer Versuch…",

  "refused.invalid_nickname":
    "„{name}“ geht hier nicht. Ein Name hat bis zu 32 Buchstaben (ohne Akzente und Umlaute), Ziffern " +
    "und . _ + -; einige Wörter wie G oder stop sind vergeben.",
  "refused.nickname_taken":
    "Ist „{name}“ dein Konto? Dann gib sein Passwort ein. Sonst ist „{name}“ in Gebrauch: Bitte nimm einen anderen Namen.",
  "refused.wrong_password":
    "Das ist nicht das Passwort von „{name}“, oder jemand ist unter diesem Namen hier. Versuch es noch einmal, oder nimm einen anderen Namen.",
  "refused.no_account": "„{name}“ hat kein Konto. Tritt ohne Passwort ein.",
  "refused.banned": "„{name}“, oder woher du kommst, ist von diesem Chat ausgeschlossen.",
  "refused.banned_until":
    "„{name}“, oder woher du kommst, ist bis {until} aus diesem Chat ausgeschlossen.",
  "refused.meanwhile":
    "Während die Verbindung fehlte, ist jemand anders als „{name}“ eingetreten. Bitte nimm einen " +
    "anderen Namen.",
  "refused.error": "Der Dienst hat das nicht verstanden: {reason}",
  "refused.other": "„{name}“ wurde abgelehnt: {reason}",

  "ended.left": "Du hast den Chat verlassen. Bis bald!",
  "ended.chat_closed": "Der Chat wurde geschlossen.",
  "ended.closed": "{name} hat den Chat geschlossen.",
  "ended.closed_by_operator": "Die Betreiber haben den Chat geschlossen.",
  "ended.closed_by_you": "Du hast den Chat geschlossen.",
  "ended.displaced":
    "Dein Name ist jetzt in einem anderen Fenster oder auf einem anderen Gerät in Gebrauch.",
  "ended.kicked": "Die Betreiber haben dich aus dem Chat entfernt.",
  "ended.kicked_because": "Die Betreiber haben dich aus dem Chat entfernt: {because}",
  "ended.banned": "Du bist von diesem Chat ausgeschlossen.",
  "ended.banned_because": "Du bist von diesem Chat ausgeschlossen: {because}",
  "ended.banned_until": "Du bist bis {until} aus diesem Chat ausgeschlossen.",
  "ended.banned_because_until": "Du bist bis {until} aus diesem Chat ausgeschlossen: {because}",
  "ended.long_lines": "Der Dienst hat die Verbindung beendet: Zu viele Nachrichten waren zu lang.",
  "ended.too_many_from_address":
    "Von deiner Adresse kommen zu viele Verbindungen. Schließe ein anderes Fenster und versuche es " +
    "noch einmal.",
  "ended.other": "Der Dienst hat die Verbindung beendet: {reason}",

  "status.inside": "Verbunden",
  "status.opening": "Verbindung wird aufgebaut…",
  "status.asking": "Verbindung wird aufgebaut…",
  "status.waiting": "Verbindung verloren. Neue Verbindung…",
  "status.restarting": "Der Dienst startet neu. Neue Verbindung…",
  "status.stalled": "Der Dienst kann gerade nichts aufbewahren. Deine Nachrichten warten dort.",
  "status.leaving": "Du gehst…",
  "status.hurry": "Jetzt versuchen",
  "status.queued": {
    one: "{count} Nachricht wird dann gesendet.",
    other: "{count} Nachrichten werden dann gesendet.",
  },

  "head.people": { one: "{count} Person", other: "{count} Personen" },
  "head.people_hint": "Wähle, wem du schreibst",
  "head.menu": "Menü",
  "head.account": "Konto",
  "head.search": "Suchen",
  "head.help": "Tasten und Befehle",
  "head.close": "Chat schließen",
  "head.leave": "Gehen",
  "head.settings": "Einstellungen",
  "head.rooms": "Räume",

  "people.title": "Im Raum",
  "people.everybody": "Alle",
  "people.you": "du",
  "people.administrator": "Admin",
  "people.owner": "Besitz",
  "people.moderator": "Moderation",
  "people.muted": "stumm",
  "people.more": { one: "und {count} mehr", other: "und {count} mehr" },
  "people.unlike": "nicht {name}",
  "people.unlike_hint": "„{name}“ sieht nur aus wie „{other}“",

  "write.to": "An",
  "write.to_hint": "G heißt alle",
  "write.text": "Nachricht",
  "write.placeholder": "Schreib an alle",
  "write.placeholder_private": "Schreib privat an {name}",
  "write.placeholder_room": "In {name} schreiben",
  "write.placeholder_self": "Eine Notiz an dich selbst",
  "write.send": "Senden",
  "write.absent": "„{name}“ ist gerade nicht da",
  "write.too_long": {
    one: "Um {count} Byte zu lang.",
    other: "Um {count} Bytes zu lang.",
  },
  "write.too_many": "Zu viele Nachrichten warten aufs Senden. Bitte warte einen Moment.",
  "write.left_over": { one: "noch {count} Byte", other: "noch {count} Bytes" },
  "write.empty": "Darin ist nichts zu sehen, deshalb wurde es nicht gesendet.",
  "write.outside": "Du bist nicht im Chat: es wurde nicht gesendet.",
  "write.misplaced":
    "Zeile {line} beginnt mit „{word}“ wie ein Befehl, deshalb wurde nichts gesendet. Um sie so zu sagen, lass sie mit // beginnen.",
  "write.too_many_lines": "{count} Zeilen sind zu viele: höchstens {most} auf einmal.",
  "write.suggested": "Vorschläge",

  "log.title": "Gespräch",
  "log.pending": "Wird gesendet",
  "log.waiting": "wartet",
  "log.underway": "wird gesendet…",
  "log.more_pending": { one: "und {count} mehr unterwegs", other: "und {count} mehr unterwegs" },
  "log.new": { one: "{count} neue Nachricht", other: "{count} neue Nachrichten" },
  "log.to_end": "Zum Neuesten",
  "log.you": "du",
  "log.private": "privat",
  "log.private_to": "privat an {name}",
  "log.private_to_you": "privat, an dich selbst",
  "log.past": "früher",
  "log.redacted": "von der Moderation zurückgezogen",
  "log.mark": "Neu",
  "log.blank": "(nichts zu sehen)",
  "log.failed": "nicht gesendet",
  "log.kept": "{name} ist nicht da und bekommt es später",
  "log.undelivered": "nicht zugestellt",
  "log.unanswered": "gesendet; die Verbindung brach ab, bevor die Antwort kam",
  "log.joined": { one: "{names} ist gekommen", other: "{names} sind gekommen" },
  "log.left": { one: "{names} ist gegangen", other: "{names} sind gegangen" },
  "log.returned": {
    one: "{names} ist gegangen und wiedergekommen",
    other: "{names} sind gegangen und wiedergekommen",
  },
  "log.passed": {
    one: "{names} ist gekommen und gegangen",
    other: "{names} sind gekommen und gegangen",
  },
  "log.and_more": { one: "{count} mehr", other: "{count} mehr" },

  "call.whispered": "{name} hat dir geschrieben",
  "call.named": "{name} hat dich erwähnt",
  "call.named_in": "{name} hat dich in {room} erwähnt",

  "failed.unknown_recipient": "Nicht gesendet: Hier ist niemand namens „{name}“.",
  "failed.mailbox_full": "Nicht gesendet: Für „{name}“ wartet schon zu viel.",
  "failed.unknown_self": "Nicht gesendet: Hier kannst du dir nicht selbst schreiben.",
  "failed.ended": "Nicht gesendet: Die Sitzung war vorher zu Ende.",
  "failed.unsure":
    "Ob das gesendet wurde, ist nicht bekannt: Der Dienst hat inzwischen sein Gedächtnis verloren.",
  "failed.refused":
    "Nicht gesendet: Der Dienst hat es abgelehnt. Die Verbindung brach ab, bevor er sagte, warum.",
  "failed.error": "Nicht gesendet. Der Dienst sagt: {detail}",
  "failed.other": "Nicht gesendet: {reason}",

  "notice.entered": "Du bist drin, als {name}.",
  "notice.first":
    "Du bist drin, als {name}, und hast diesen Chat eröffnet: Du verwaltest ihn und kannst ihn schließen.",
  "notice.in_room": "Du bist in {room}.",
  "joining.full": "{room} ist voll: niemand kann mehr hinein.",
  "joining.too_many_rooms": "Du bist in zu vielen Räumen für {room}: verlass einen anderen.",
  "joining.no_room_left": "{room} kann nicht eröffnet werden: es gibt zu viele Räume.",
  "joining.other": "Du kommst nicht in {room}: {reason}",
  "notice.room_kicked": "Du wurdest aus {room} entfernt{because}",
  "notice.room_displaced": "Ein anderes Fenster von dir hat deinen Platz in {room} eingenommen.",
  "notice.administrator": "Du verwaltest den Chat jetzt und kannst ihn schließen.",
  "notice.no_administrator": "Du verwaltest den Chat nicht mehr.",
  "notice.missed": "Ein Teil dessen, was ohne dich gesagt wurde, fehlt hier.",
  "log.begins": "Hier beginnt das Protokoll.",
  "notice.gap": "Hier fehlt ein Teil dessen, was gesagt wurde.",
  "notice.undelivered":
    "Deine private Nachricht an {name} konnte nicht zugestellt werden: „{text}“",
  "notice.forbidden": "Du darfst diesen Chat nicht schließen.",
  "notice.slowed":
    "Du schreibst zu schnell: Was du schreibst, wird langsamer weitergegeben, aber ganz.",
  "notice.error": "Der Dienst hat etwas nicht verstanden: {reason}",

  "ask.cancel": "Abbrechen",
  "late.title": "Das ließ sich nicht laden",
  "late.text":
    "Dazu braucht es das Netz. Versuche es noch einmal; wenn das nicht hilft, lade die ganze Seite neu.",
  "late.again": "Noch einmal versuchen",

  "leave.title": "Den Chat verlassen?",
  "leave.text":
    "Das Gespräch verschwindet von dieser Seite, auch die privaten Nachrichten, und alle lesen, dass du gegangen bist.",
  "leave.cancel": "Bleiben",

  "notice.operator": "Ein Betreiber",
  "notice.muted": "{by} hat {name} stumm geschaltet{because}",
  "notice.muted_until": "{by} hat {name} stumm geschaltet bis {until}{because}",
  "notice.unmuted": "{by} lässt {name} wieder schreiben",
  "notice.kicked": "{by} hat {name} entfernt{because}",
  "notice.slow": "{by} hat den langsamen Modus gesetzt: je eine Nachricht in {count} Sekunden",
  "notice.slow_off": "{by} hat den langsamen Modus beendet",
  "notice.accounts_only": "{by} lässt nur noch schreiben, wer ein Konto hat",
  "notice.accounts_only_off": "{by} lässt wieder alle schreiben",
  "notice.topic": "{by} hat das Thema gesetzt: {text}",
  "notice.topic_off": "{by} hat das Thema entfernt",
  "notice.moderator": "{name} moderiert jetzt",
  "notice.moderator_off": "{name} moderiert nicht mehr",
  "notice.owner": "Der Raum gehört jetzt {name}",
  "notice.outsiders": "{by} lässt auch sprechen, wer nicht im Raum ist",
  "notice.outsiders_off": "{by} lässt nur sprechen, wer im Raum ist",
  "notice.not_moderated":
    "Das wurde nicht getan: So jemanden oder so etwas gibt es nicht, oder es ist nicht erlaubt.",
  "failed.muted": "Nicht gesendet: Du bist stumm geschaltet{detail}",
  "failed.muted_until": "Nicht gesendet: Du bist stumm geschaltet bis {until}{detail}",
  "failed.slow_until": "Nicht gesendet: langsamer Modus. Du kannst wieder schreiben um {until}",
  "failed.accounts_only": "Nicht gesendet: Jetzt kann nur schreiben, wer ein Konto hat.",
  "failed.filtered": "Nicht gesendet: Es enthält Wörter, die hier nicht erlaubt sind.",
  "rule.muted": "Du bist stumm geschaltet{because}",
  "rule.muted_until": "Du bist stumm geschaltet bis {until}{because}",
  "rule.slow": {
    one: "Langsamer Modus: eine Nachricht pro Sekunde",
    other: "Langsamer Modus: eine Nachricht in {count} Sekunden",
  },
  "rule.accounts_only": "Jetzt kann nur schreiben, wer ein Konto hat",
  "rule.account": "Ein Konto anlegen",
  "head.topic": "Thema",
  "person.act": "Was mit dieser Nachricht von {name} geschehen soll",
  "person.moderate": "Diese Person moderieren",
  "room.title": "Der Raum",
};
