// Starts telegram-test-api on a free port. The only argument is the folder it was installed in.
//
// What it lacks and aiogram cannot do without is added here, and nothing else:
// - getMe says that the bot is a bot; a callback query has its chat_instance;
// - getUpdates waits for an update instead of returning at once, or a poller would spin;
// - objects in a form arrive as JSON and must not come back as strings;
// - the webhook's secret is sent along;
// - methods it does not know are refused as Telegram refuses them, and some that only set something are taken.
"use strict";

const path = require("node:path");
const { createRequire } = require("node:module");

const installed = createRequire(path.join(process.argv[2], "package.json"));
const TelegramServer = installed("@vishtar/telegram-test-api");
const axios = createRequire(installed.resolve("@vishtar/telegram-test-api"))("axios");

const OBJECTS = ["entities", "link_preview_options", "reply_markup", "reply_parameters", "allowed_updates"];
const KNOWN = [
  ...["getMe", "getUpdates", "setWebhook", "deleteWebhook", "sendMessage", "editMessageText"],
  ...["editMessageReplyMarkup", "deleteMessage", "answerCallbackQuery"],
].map((name) => name.toLowerCase());
const TAKEN = [
  ...["sendChatAction", "sendMessageDraft", "sendRichMessageDraft", "setMyCommands", "deleteMyCommands", "setMyName"],
  ...["setMyDescription", "setMyShortDescription", "setChatMenuButton", "answerInlineQuery"],
].map((name) => name.toLowerCase());

const formatUpdate = TelegramServer.formatUpdate;
TelegramServer.formatUpdate = (update) => {
  const told = formatUpdate(update);
  if (told.callback_query) told.callback_query.chat_instance = "1";
  return told;
};

function additions(app, server) {
  app.use("/bot:token/:method", (request, response, next) => {
    const method = request.params.method.toLowerCase();
    for (const name of OBJECTS) {
      if (typeof request.body[name] === "string") request.body[name] = JSON.parse(request.body[name]);
    }
    if (TAKEN.includes(method)) {
      response.json({ ok: true, result: true });
    } else if (!KNOWN.includes(method)) {
      response.status(404).json({ ok: false, error_code: 404, description: "Not Found: method not found" });
    } else {
      next();
    }
  });
  app.all("/bot:token/getMe", (request, response) => {
    const [id] = request.params.token.split(":");
    const about = { id: Number(id), is_bot: true, first_name: "Library", username: "other_library_bot" };
    response.json({ ok: true, result: { ...about, supports_inline_queries: true } });
  });
  app.all("/bot:token/getUpdates", async (request, response) => {
    let updates = server.getUpdates(request.params.token);
    const seconds = Number(request.body.timeout || 0);
    if (!updates.length && seconds) {
      let timer;
      const enough = new Promise((resolve) => (timer = setTimeout(resolve, 1000 * seconds)));
      const gone = new Promise((resolve) => response.once("close", resolve));
      await Promise.race([server.waitUserMessage(), enough, gone]);
      clearTimeout(timer);
      if (response.destroyed) return;
      updates = server.getUpdates(request.params.token);
    }
    response.json({ ok: true, result: updates });
  });
  app.all("/bot:token/setWebhook", (request, response, next) => {
    axios.defaults.headers.common["X-Telegram-Bot-Api-Secret-Token"] = request.body.secret_token || "";
    next();
  });
}

async function main() {
  const server = new TelegramServer({ host: "127.0.0.1", storeTimeout: 3600 }, { routes: [additions] });
  server.config.port = 0; // a free one; the constructor takes 0 for 9000
  await server.start();
  console.log(`listening on http://127.0.0.1:${server.server.address().port}`);
}

main();
