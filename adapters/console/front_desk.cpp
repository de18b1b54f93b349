#include "adapters/console/front_desk.hpp"

#include <sodium.h>
#include <spdlog/spdlog.h>

#include "adapters/console/page.hpp"

namespace carehub::adapters {
namespace {

constexpr const char* kSession = "carehub";
constexpr const char* kFormCookie = "carehub-form";
constexpr const char* kProviderCookie = "carehub-openid";

std::string_view header_of(const HttpRequest& request, const char* name) {
  const auto found = request.headers.find(name);
  return found == request.headers.end() ? std::string_view() : std::string_view(found->second);
}

SecretText taken(Form& form, const char* name) {
  const auto found = form.find(name);
  return found == form.end() ? SecretText() : std::move(found->second);
}

}  // namespace

FrontDesk::FrontDesk(bool over_tls, SessionTimes times, const Clock& clock, Random& random, SignIn::Post post,
                     Record record)
    : over_tls_(over_tls),
      record_(std::move(record)),
      sessions_(times, clock, random),
      sign_in_(std::make_shared<SignIn>(clock, std::move(post))) {}

void FrontDesk::take(std::vector<Account> accounts) {
  for (const std::string& id : sign_in_->take(std::move(accounts))) sessions_.end_all_of(id);
}

std::string FrontDesk::full_name(const char* name) const {
  return (over_tls_ ? "__Host-" : "") + std::string(name);
}

std::string FrontDesk::cookie(const char* name, const std::string& value, const char* same_site) const {
  return full_name(name) + "=" + value + "; Path=/; HttpOnly; SameSite=" + same_site +
         (over_tls_ ? "; Secure" : "") + (value.empty() ? "; Max-Age=0" : "");
}

HttpAnswer FrontDesk::page_answer(unsigned status, std::string body) const {
  HttpAnswer answer{status, {}, std::move(body)};
  answer.headers = {
      {"Content-Type", "text/html; charset=utf-8"},
      {"Content-Security-Policy",
       "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"},
      {"X-Content-Type-Options", "nosniff"},
      // no-referrer would have browsers say `Origin: null` of our own forms.
      {"Referrer-Policy", "same-origin"},
      {"Cache-Control", "no-store"},
  };
  if (over_tls_) answer.headers.emplace_back("Strict-Transport-Security", "max-age=31536000");
  return answer;
}

HttpAnswer FrontDesk::leads_to(const std::string& path) const {
  HttpAnswer answer = page_answer(303, note_page("Go on to the next page."));
  answer.headers.emplace_back("Location", path);
  return answer;
}

HttpAnswer FrontDesk::form_answer(unsigned status, const std::string& form_secret,
                                  std::string_view note) const {
  HttpAnswer answer =
      page_answer(status, sign_in_page(sessions_.form_token(form_secret), note, open_id_ != nullptr));
  answer.headers.emplace_back("Set-Cookie", cookie(kFormCookie, form_secret));
  return answer;
}

std::optional<Form> FrontDesk::own_form(HttpRequest& request, std::string_view secret) const {
  auto form = read_form(request.body);
  if (!request.body.empty()) sodium_memzero(request.body.data(), request.body.size());
  const auto origin = header_of(request, "origin");
  const std::string own = (over_tls_ ? "https://" : "http://") + std::string(header_of(request, "host"));
  if (!form || (!origin.empty() && origin != own)) return std::nullopt;
  const auto token = form->find("form");
  if (token == form->end() || !sessions_.is_form_token(secret, token->second.view())) return std::nullopt;
  return form;
}

void FrontDesk::answer(HttpRequest request, Done done) {
  const auto cookies = header_of(request, "cookie");
  const std::string secret = cookie_of(cookies, full_name(kSession));
  const std::string form_secret = cookie_of(cookies, full_name(kFormCookie));
  const bool reads = request.method == "GET";
  if (!reads && request.method != "POST") {
    auto refusal = page_answer(405, note_page("Use GET or POST."));
    refusal.headers.emplace_back("Allow", "GET, POST");
    return done(std::move(refusal));
  }
  if (request.path == "/" && reads) {
    const auto session = sessions_.find(secret);
    if (!session) return done(leads_to("/sign-in"));
    return done(page_answer(200, who_page(*session, sessions_.form_token(secret))));
  }
  if (open_id_ && reads && request.path == "/sign-in/openid") return leave(std::move(done));
  if (open_id_ && reads && request.path == kArrivalPath) return arrive(request, std::move(done));
  if (request.path == "/sign-in" && reads) return done(form_answer(200, sessions_.form_secret(), {}));
  const bool signs_in = request.path == "/sign-in";
  if (!signs_in && (request.path != "/sign-out" || reads))
    return done(page_answer(404, note_page("There is no such page.")));
  auto form = own_form(request, signs_in ? form_secret : secret);
  if (!form) {
    sign_in_->refused(SignInRefusal::form);
    return done(page_answer(403, note_page("The form is too old, or not this console's. Take a new one.")));
  }
  if (!signs_in) return done(sign_out(secret));
  sign_in(request, std::move(*form), std::move(done));
}

HttpAnswer FrontDesk::sign_out(const std::string& secret) {
  const auto session = sessions_.find(secret);
  if (session) {
    spdlog::info("console: account {} has signed out", session->who.id);
    record_(wire::DoorEvent::signed_out, session->who.id, [](bool) {});
  }
  sessions_.end(secret);
  const bool elsewhere = open_id_ && session && is_of_provider(session->who.id);
  HttpAnswer answer =
      elsewhere ? page_answer(200, signed_out_page(open_id_->sign_out_address())) : leads_to("/sign-in");
  answer.headers.emplace_back("Set-Cookie", cookie(kSession, ""));
  return answer;
}

void FrontDesk::sign_in(const HttpRequest& request, Form form, Done done) {
  const auto cookies = header_of(request, "cookie");
  sign_in_->attempt(
      std::string(taken(form, "account").view()), taken(form, "password"), taken(form, "code"),
      network_of(request.peer),
      [weak = weak_from_this(), done = std::move(done), before = cookie_of(cookies, full_name(kSession)),
       form_secret = cookie_of(cookies, full_name(kFormCookie))](const SignInOutcome& outcome) {
        if (const auto self = weak.lock()) self->signed_in(before, form_secret, outcome, done);
      });
}

void FrontDesk::signed_in(const std::string& before, const std::string& form_secret,
                          const SignInOutcome& outcome, const Done& done) {
  if (outcome.wait_s > 0) {
    HttpAnswer answer =
        outcome.busy ? form_answer(503, form_secret, "Too many sign in at once. Try again soon.")
                     : form_answer(429, form_secret, "There were too many attempts. Wait, then try again.");
    answer.headers.emplace_back("Retry-After", std::to_string(outcome.wait_s));
    return done(std::move(answer));
  }
  if (!outcome.who)
    return done(form_answer(403, form_secret, "Account, password and code do not belong together."));
  let_in(before, outcome, [weak = weak_from_this(), form_secret, done](std::string session) {
    const auto self = weak.lock();
    if (!self) return;
    if (session.empty()) return done(self->not_written_down());
    HttpAnswer answer = self->leads_to("/");
    answer.headers.emplace_back("Set-Cookie", std::move(session));
    answer.headers.emplace_back("Set-Cookie", self->cookie(kFormCookie, ""));
    done(std::move(answer));
  });
}

void FrontDesk::let_in(const std::string& before, const SignInOutcome& outcome,
                       const std::function<void(std::string cookie)>& done) {
  record_(wire::DoorEvent::signed_in, outcome.who->id,
          [weak = weak_from_this(), before, outcome, done](bool kept) {
            const auto self = weak.lock();
            if (!self) return;
            // Meanwhile the account may have been taken away.
            const bool there = is_of_provider(outcome.who->id) || self->sign_in_->knows(*outcome.who);
            if (!kept || !there) return done("");
            self->sessions_.end(before);  // whatever the browser brought is of no use any more
            done(self->cookie(kSession, self->sessions_.begin(*outcome.who, outcome.until)));
          });
}

HttpAnswer FrontDesk::not_written_down() const {
  HttpAnswer answer =
      page_answer(503, note_page("The hub cannot write down now that you sign in. Try again soon."));
  answer.headers.emplace_back("Retry-After", "10");
  return answer;
}

void FrontDesk::leave(Done done) {
  open_id_->leave([weak = weak_from_this(), done = std::move(done)](const OpenId::Departure& departure) {
    const auto self = weak.lock();
    if (!self) return;
    if (departure.location.empty()) {
      HttpAnswer answer = self->page_answer(
          503, note_page("Your organisation's sign-in cannot be reached. Try again soon, or sign in here."));
      answer.headers.emplace_back("Retry-After", "10");
      return done(std::move(answer));
    }
    HttpAnswer answer = self->leads_to(departure.location);
    // Lax: the browser is to bring it when the provider, another site, leads back here.
    answer.headers.emplace_back("Set-Cookie", self->cookie(kProviderCookie, departure.secret, "Lax"));
    done(std::move(answer));
  });
}

void FrontDesk::arrive(const HttpRequest& request, Done done) {
  const auto cookies = header_of(request, "cookie");
  open_id_->arrive(read_form(bytes_of(request.query)).value_or(Form()),
                   cookie_of(cookies, full_name(kProviderCookie)), network_of(request.peer),
                   [weak = weak_from_this(), done = std::move(done),
                    before = cookie_of(cookies, full_name(kSession))](const SignInOutcome& outcome) {
                     if (const auto self = weak.lock()) self->arrived(before, outcome, done);
                   });
}

void FrontDesk::arrived(const std::string& before, const SignInOutcome& outcome, const Done& done) {
  if (outcome.refusal) sign_in_->refused(*outcome.refusal);
  const auto answered = [weak = weak_from_this(), done](HttpAnswer answer) {
    const auto self = weak.lock();
    if (!self) return;
    answer.headers.emplace_back("Set-Cookie", self->cookie(kProviderCookie, "", "Lax"));
    done(std::move(answer));
  };
  if (outcome.who) {
    return let_in(before, outcome, [weak = weak_from_this(), answered](std::string session) {
      const auto self = weak.lock();
      if (!self) return;
      if (session.empty()) return answered(self->not_written_down());
      // A page, and no redirect: that would still be the provider's doing, and a browser brings no strict
      // cookie with what another site began.
      HttpAnswer answer = self->page_answer(200, signed_in_page());
      answer.headers.emplace_back("Set-Cookie", std::move(session));
      answered(std::move(answer));
    });
  }
  if (outcome.wait_s > 0) {
    HttpAnswer answer =
        page_answer(outcome.busy ? 503 : 429, note_page("This cannot be done now. Wait, then try again."));
    answer.headers.emplace_back("Retry-After", std::to_string(outcome.wait_s));
    return answered(std::move(answer));
  }
  answered(page_answer(
      403, note_page(outcome.refusal == SignInRefusal::no_role
                         ? "You have no role here. Ask whoever looks after this hub at your organisation."
                         : "Your organisation did not sign you in, or it took too long. Sign in again.")));
}

}  // namespace carehub::adapters
