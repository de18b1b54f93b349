#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "adapters/console/form.hpp"
#include "adapters/console/open_id.hpp"
#include "adapters/console/sessions.hpp"
#include "adapters/console/sign_in.hpp"
#include "adapters/transports/http_connection.hpp"
#include "schemas/wire_generated.h"

namespace carehub::adapters {

/// What the console answers to a request:
///
///   GET /            who is signed in, as what, until when; without a session it leads to /sign-in
///   GET /sign-in     the form
///   POST /sign-in    account, password, code: 303 to / with a session, 403 and the form again, 429 or 503
///                    with Retry-After
///   POST /sign-out   ends the session
///   GET /sign-in/openid       leads to the provider, where there is one
///   GET /sign-in/openid/done  where the provider leads back to: in, or 403, 429 or 503 as above
///
/// A POST has to bring the token of its form, which is bound to the browser's cookie, and where it names an
/// origin, this one. On one thread.
class FrontDesk : public std::enable_shared_from_this<FrontDesk> {
 public:
  using Done = std::function<void(HttpAnswer)>;

  /// Has it written down who signs in or out, and says whether it is: nobody is in before that.
  using Record = std::function<void(wire::DoorEvent event, const std::string& account,
                                    std::function<void(bool kept)> done)>;

  /// Clock and random outlive it. `over_tls`: the pages are. `record` and `post` lead back to its thread.
  FrontDesk(bool over_tls, SessionTimes times, const Clock& clock, Random& random, SignIn::Post post,
            Record record);

  /// Who may sign in from now on; those who were changed or have gone are signed out.
  void take(std::vector<Account> accounts);
  /// A provider by whom people may sign in, too.
  void use_provider(std::shared_ptr<OpenId> provider) { open_id_ = std::move(provider); }
  void answer(HttpRequest request, Done done);

  const SignInCounts& counts() const { return sign_in_->counts(); }

 private:
  void sign_in(const HttpRequest& request, Form form, Done done);
  void signed_in(const std::string& before, const std::string& form_secret, const SignInOutcome& outcome,
                 const Done& done);
  void leave(Done done);
  void arrive(const HttpRequest& request, Done done);
  void arrived(const std::string& before, const SignInOutcome& outcome, const Done& done);
  /// The cookie of a session that begins in the place of the one before; empty: the hub did not write it
  /// down.
  void let_in(const std::string& before, const SignInOutcome& outcome,
              const std::function<void(std::string cookie)>& done);
  HttpAnswer form_answer(unsigned status, const std::string& form_secret, std::string_view note) const;
  HttpAnswer not_written_down() const;
  HttpAnswer page_answer(unsigned status, std::string body) const;
  HttpAnswer leads_to(const std::string& path) const;
  HttpAnswer sign_out(const std::string& secret);
  /// The form of a POST that this hub's own page sent; nullopt: it is somebody else's.
  std::optional<Form> own_form(HttpRequest& request, std::string_view secret) const;
  std::string cookie(const char* name, const std::string& value, const char* same_site = "Strict") const;
  std::string full_name(const char* name) const;

  bool over_tls_;
  Record record_;
  Sessions sessions_;
  std::shared_ptr<SignIn> sign_in_;
  std::shared_ptr<OpenId> open_id_;
};

}  // namespace carehub::adapters
