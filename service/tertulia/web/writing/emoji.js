/** Emoji by name, `:wave:`; the names that people know from other programs, as far as they are useful. */

const TABLE = `
smile 🙂 grin 😁 joy 😂 rofl 🤣 wink 😉 blush 😊 cool 😎 sunglasses 😎 heart_eyes 😍 kiss 😘 thinking 🤔
neutral 😐 expressionless 😑 rolling_eyes 🙄 smirk 😏 relieved 😌 sleepy 😪 sleeping 😴 tongue 😛 yum 😋
zany 🤪 hug 🤗 shush 🤫 zipper 🤐 raised_eyebrow 🤨 confused 😕 worried 😟 frown 🙁 sad 😢 cry 😢 sob 😭
angry 😠 rage 😡 scream 😱 fear 😨 flushed 😳 dizzy 😵 mind_blown 🤯 cold 🥶 hot 🥵 sick 🤒 mask 😷 nerd 🤓
party 🥳 innocent 😇 upside_down 🙃 melting 🫠 salute 🫡 pleading 🥺 sweat 😓 sweat_smile 😅 skull 💀
ghost 👻 robot 🤖 clown 🤡 poop 💩 wave 👋 ok_hand 👌 thumbsup 👍 +1 👍 thumbsdown 👎 -1 👎 clap 👏 pray 🙏
muscle 💪 point_up ☝️ point_right 👉 point_left 👈 point_down 👇 raised_hands 🙌 handshake 🤝
crossed_fingers 🤞 victory ✌️ fist ✊ shrug 🤷 facepalm 🤦 eyes 👀 heart ❤️ orange_heart 🧡
yellow_heart 💛 green_heart 💚 blue_heart 💙 purple_heart 💜 black_heart 🖤 broken_heart 💔 sparkles ✨
star ⭐ fire 🔥 tada 🎉 confetti 🎊 balloon 🎈 gift 🎁 cake 🎂 trophy 🏆 medal 🏅 100 💯 boom 💥 zap ⚡ bulb
💡 bell 🔔 rocket 🚀 check ✅ x ❌ warning ⚠️ no_entry ⛔ question ❓ exclamation ❗ stop 🛑 recycle ♻️
hourglass ⏳ alarm ⏰ calendar 📅 pin 📌 paperclip 📎 memo 📝 book 📖 books 📚 mail 📧 phone 📞 computer 💻
bug 🐛 wrench 🔧 hammer 🔨 gear ⚙️ lock 🔒 key 🔑 link 🔗 mag 🔍 package 📦 chart 📈 money 💰 camera 📷
music 🎵 guitar 🎸 art 🎨 film 🎬 sun ☀️ cloud ☁️ rain 🌧️ umbrella ☔ snow ❄️ rainbow 🌈 moon 🌙 earth
🌍 wave_sea 🌊 mountain ⛰️ beach 🏖️ camping 🏕️ house 🏠 hospital 🏥 school 🏫 church ⛪ car 🚗 bus 🚌
train 🚆 bike 🚲 plane ✈️ ship 🚢 anchor ⚓ dog 🐶 cat 🐱 mouse 🐭 rabbit 🐰 fox 🦊 bear 🐻 panda 🐼 lion 🦁
cow 🐮 pig 🐷 frog 🐸 monkey 🐵 chicken 🐔 penguin 🐧 bird 🐦 duck 🦆 owl 🦉 bee 🐝 butterfly 🦋 snail 🐌
turtle 🐢 fish 🐟 whale 🐳 octopus 🐙 horse 🐴 unicorn 🦄 tree 🌳 palm 🌴 cactus 🌵 flower 🌸 rose 🌹 tulip
🌷 sunflower 🌻 clover 🍀 leaf 🍃 mushroom 🍄 apple 🍎 banana 🍌 grapes 🍇 strawberry 🍓 lemon 🍋 orange 🍊
peach 🍑 tomato 🍅 avocado 🥑 bread 🍞 cheese 🧀 egg 🥚 pizza 🍕 pasta 🍝 burger 🍔 fries 🍟 taco 🌮 sushi
🍣 salad 🥗 icecream 🍦 chocolate 🍫 cookie 🍪 coffee ☕ tea 🍵 beer 🍺 beers 🍻 wine 🍷 champagne 🍾
cocktail 🍸 football ⚽ basketball 🏀 tennis 🎾 dice 🎲 game 🎮 puzzle 🧩 chess ♟️ running 🏃 swimming 🏊
dance 💃 baby 👶 family 👪
`;

/**
 * By name, by alphabet.
 * @type {ReadonlyMap<string, string>}
 */
export const EMOJI = new Map(
  [...TABLE.matchAll(/(\S+)\s+(\S+)/g)]
    .map(([, name = "", sign = ""]) => /** @type {const} */ ([name, sign]))
    .sort(([one], [other]) => (one < other ? -1 : 1)),
);
