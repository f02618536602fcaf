#!/bin/sh
# What orch needs beside Python: git, TeX, a PDF reader's tools and the sandbox. Installs it where it may, else says what to install.
set -eu

packages="git bubblewrap texlive-latex-base texlive-latex-recommended texlive-latex-extra texlive-fonts-recommended \
texlive-science texlive-bibtex-extra latexmk chktex lmodern poppler-utils"

missing() {
    for program in git bwrap latexmk pdflatex bibtex chktex pdftoppm; do
        command -v "$program" >/dev/null 2>&1 || return 0
    done
    for style in siunitx.sty algpseudocode.sty lmodern.sty cleveref.sty; do
        kpsewhich "$style" >/dev/null 2>&1 || return 0
    done
    return 1
}

missing || exit 0
if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
    echo "installing TeX, the sandbox and what goes with them (about 250 MB to download)"
    apt-get update -qq
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages >/dev/null
    missing || exit 0
fi
echo "orch needs some system packages. On Debian or Ubuntu, as root:" >&2
echo "  apt-get update && apt-get install --no-install-recommends $packages" >&2
echo "Elsewhere: git, bubblewrap, TeX Live with latexmk and siunitx, chktex and poppler's tools, from your system's packages." >&2
exit 1
