#include "adapters/console/page.hpp"

namespace carehub::adapters {
namespace {

std::string page(std::string_view title, const std::string& body, const char* more_head = "") {
  return "<!doctype html>\n<html lang=\"en-GB\">\n<head><meta charset=\"utf-8\">"
         "<meta name=\"viewport\" content=\"width=device-width\"><title>" +
         html_text(title) + "</title>" + more_head + "</head>\n<body>\n<main>\n<h1>" + html_text(title) +
         "</h1>\n" + body + "</main>\n</body>\n</html>\n";
}

std::string hidden(std::string_view token) {
  return "<input type=\"hidden\" name=\"form\" value=\"" + html_text(token) + "\">\n";
}

std::string field(const char* name, const char* label, const char* attributes) {
  return std::string("<p><label>") + label + "<br><input name=\"" + name + "\" required " + attributes +
         "></label></p>\n";
}

}  // namespace

std::string html_text(std::string_view text) {
  std::string safe;
  for (const char c : text) {
    switch (c) {
      case '&': safe += "&amp;"; break;
      case '<': safe += "&lt;"; break;
      case '>': safe += "&gt;"; break;
      case '"': safe += "&quot;"; break;
      case '\'': safe += "&#39;"; break;
      default: safe += static_cast<unsigned char>(c) < ' ' || c == '\x7F' ? ' ' : c;
    }
  }
  return safe;
}

std::string sign_in_page(std::string_view token, std::string_view note, bool provider) {
  const char* const other =
      provider ? "<p><a href=\"/sign-in/openid\">Sign in with your organisation's account</a></p>\n" : "";
  const std::string said = note.empty() ? "" : "<p role=\"alert\">" + html_text(note) + "</p>\n";
  return page(
      "Carehub: sign in",
      said + "<form method=\"post\" action=\"/sign-in\">\n" + hidden(token) +
          field("account", "Account", "autocomplete=\"username\" maxlength=\"64\" autocapitalize=\"none\"") +
          field("password", "Password",
                "type=\"password\" autocomplete=\"current-password\" maxlength=\"256\"") +
          field("code", "Code of six digits",
                "inputmode=\"numeric\" autocomplete=\"one-time-code\" maxlength=\"6\"") +
          "<p><button>Sign in</button></p>\n</form>\n" + other);
}

std::string who_page(const Sessions::Session& session, std::string_view token) {
  std::string roles;
  for (const std::string& role : session.who.roles) roles += "<li>" + html_text(role) + "</li>\n";
  return page("Carehub: signed in",
              "<p>You are <strong>" + html_text(session.who.name) +
                  "</strong>.</p>\n<p>Your roles:</p>\n<ul>\n" + roles + "</ul>\n<p>The session ends at " +
                  html_text(to_rfc3339(session.idle_end)) + " unless you ask for another page, and at " +
                  html_text(to_rfc3339(session.absolute_end)) +
                  " in any case.</p>\n<form method=\"post\" action=\"/sign-out\">\n" + hidden(token) +
                  "<p><button>Sign out</button></p>\n</form>\n");
}

std::string signed_in_page() {
  return page("Carehub: signed in", "<p><a href=\"/\">Go on</a></p>\n",
              "<meta http-equiv=\"refresh\" content=\"0; url=/\">");
}

std::string signed_out_page(const std::string& elsewhere) {
  const std::string other =
      elsewhere.empty()
          ? ""
          : "<p>At your organisation you are still signed in: who uses this browser next can come in "
            "as you. <a href=\"" +
                html_text(elsewhere) + "\">Sign out there, too</a></p>\n";
  return page("Carehub: signed out", other + "<p><a href=\"/sign-in\">Sign in again</a></p>\n");
}

std::string note_page(std::string_view note) {
  return page("Carehub", "<p>" + html_text(note) + "</p>\n<p><a href=\"/\">Go on</a></p>\n");
}

}  // namespace carehub::adapters
