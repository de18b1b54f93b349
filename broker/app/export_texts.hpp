#pragma once

#include <string>

namespace carehub::app {

/// What an export says to whoever opens it.
struct ExportFacts {
  std::string hub;
  std::string origin;  // of the checkpoint
  std::string at;      // RFC 3339
  std::string by;
  std::string reason;
  std::string role;
  bool every_view = false;  // of a disclosure, whoever's role it was made for
  std::string remark;       // what the hub said beside the timeline
  std::string about;        // whom or which entries
  std::uint64_t entries = 0;
  std::uint64_t rows = 0;
  std::uint64_t acts = 0;
  std::uint64_t disclosures = 0;
  std::uint64_t withheld = 0;
  std::uint64_t tree_size = 0;
};

/// What the hub says beside one page. Those of all pages stand side by side, each once; how far it has looked
/// is left out.
void add_remark(ExportFacts& facts, const std::string& remark);

/// README.txt, in plain English.
std::string export_readme(const ExportFacts& facts);

/// export.json: the same facts for programs.
std::string export_json(const ExportFacts& facts);

/// verify.py: checks an export with Python's standard library and the openssl command alone.
std::string export_verifier();

/// The same two of a timeline that is shown to leave nothing out; `withheld` are events that it does leave
/// out.
std::string completeness_readme(const ExportFacts& facts);
std::string completeness_verifier();

}  // namespace carehub::app
