#include "adapters/console/page.hpp"

#include <catch2/catch.hpp>

using namespace carehub;
using namespace carehub::adapters;

TEST_CASE("every letter that means something in HTML is escaped") {
  CHECK(html_text("<b a='1' c=\"2\">&amp;\n") == "&lt;b a=&#39;1&#39; c=&quot;2&quot;&gt;&amp;amp; ");
  for (int c = 0; c < 256; ++c) {
    const std::string safe = html_text(std::string(1, static_cast<char>(c)));
    CHECK(safe.find_first_of("<>\"'") == std::string::npos);
    CHECK((safe.front() != '&' || safe.back() == ';'));
  }
}

TEST_CASE("whatever stands in a name, a role or a note stays text on the page") {
  const std::string evil = "\"><script>alert(1)</script>";
  Sessions::Session session;
  session.who = {"id", evil, {evil}};
  for (const std::string& page :
       {who_page(session, evil), sign_in_page(evil, evil, true), signed_out_page(evil), note_page(evil)}) {
    CHECK(page.find("<script") == std::string::npos);
    CHECK(page.find("&lt;script&gt;") != std::string::npos);
  }
}
