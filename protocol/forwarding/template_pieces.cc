#include "protocol/forwarding/template_pieces.h"

namespace telltale::forwarding {

bool TemplatePieces::next(TemplatePiece& piece) {
  if (at_ == text_.size()) return false;
  piece = {TemplatePiece::Kind::literal, text_.substr(at_), at_};
  if (piece.text.starts_with("${")) {
    const std::size_t end = piece.text.find('}');
    if (end == std::string_view::npos) {
      piece.kind = TemplatePiece::Kind::unclosed;
      at_ = text_.size();
      return true;
    }
    piece.kind = TemplatePiece::Kind::variable;
    piece.text = piece.text.substr(2, end - 2);
    at_ += end + 1;
    return true;
  }
  if (piece.text.starts_with("$$")) {
    piece.text = piece.text.substr(0, 1);
    at_ += 2;
    return true;
  }
  // A literal ends before the next dollar that may mean something; one that stands for itself begins it.
  piece.text = piece.text.substr(0, piece.text.find('$', 1));
  at_ += piece.text.size();
  return true;
}

}  // namespace telltale::forwarding
