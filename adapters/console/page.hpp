#pragma once

#include <string>
#include <string_view>

#include "adapters/console/sessions.hpp"

/// Pages of the console, as HTML that needs no script.
namespace carehub::adapters {

/// Text as HTML shows it, within an element or a quoted attribute.
std::string html_text(std::string_view text);

/// `token`: of the form; `note`: what became of the attempt before, or nothing. `provider`: there is one to
/// sign in by, too.
std::string sign_in_page(std::string_view token, std::string_view note, bool provider);
/// Goes on by itself.
std::string signed_in_page();
/// `elsewhere`: where to sign out at the provider; empty: nowhere.
std::string signed_out_page(const std::string& elsewhere);
std::string who_page(const Sessions::Session& session, std::string_view token);
/// A sentence and a way back.
std::string note_page(std::string_view note);

}  // namespace carehub::adapters
