package cmdline

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// describe answers the two hidden calls with which a package installs a
// program: --man prints its manual page, --completion SHELL its completion
// script. ok is false where args are neither of them.
func describe(app *cli.App, args []string) (text string, ok bool, err error) {
	if len(args) == 0 {
		return "", false, nil
	}
	switch {
	case args[0] == "--man" && len(args) == 1:
		app.Setup()
		text, err = app.ToManWithSection(1)
		// cli writes the synopsis of a program with commands; ours have none.
		words := regexp.MustCompile(`\[GLOBAL OPTIONS\] command.*`)
		text = words.ReplaceAllLiteralString(text, strings.TrimSpace("[options] "+app.ArgsUsage))
		return text, true, err
	case args[0] == "--completion" && len(args) == 2:
		app.Setup()
		text, err = completion(app, args[1])
		return text, true, err
	}
	return "", false, nil
}

// completable is args, with which a completion script may have asked what can
// stand next. cli does not complete behind "--" but runs the program: where
// that is the very word to be completed, it is taken out.
func completable(args []string) []string {
	last := len(args) - 1
	if last > 1 && args[last] == "--generate-bash-completion" && args[last-1] == "--" {
		return append(slices.Clone(args[:last-1]), args[last])
	}
	return args
}

// completion returns the completion script of app for bash, zsh or fish.
func completion(app *cli.App, shell string) (string, error) {
	function := "_" + strings.ReplaceAll(app.Name, "-", "_")
	switch shell {
	case "bash":
		return fmt.Sprintf(bashCompletion, app.Name, function), nil
	case "zsh":
		return fmt.Sprintf(zshCompletion, app.Name, function), nil
	case "fish":
		return app.ToFishCompletion()
	}
	return "", Usage("completion: no script for %q (bash, zsh and fish have one)", shell)
}

// The program itself lists what can stand next; see the bash completion part
// of the urfave/cli v2 manual.
const (
	bashCompletion = `# bash completion for %[1]s
%[2]s() {
	local word=${COMP_WORDS[COMP_CWORD]}
	mapfile -t COMPREPLY < <(compgen -W "$("${COMP_WORDS[0]}" ${word:+"$word"} --generate-bash-completion 2>/dev/null)" -- "$word")
}
complete -o bashdefault -o default -F %[2]s %[1]s
`
	zshCompletion = `#compdef %[1]s
%[2]s() {
	local -a options
	options=("${(@f)$(${words[1]} ${words[CURRENT]:+"${words[CURRENT]}"} --generate-bash-completion 2>/dev/null)}")
	_describe 'options' options
	_files
}
%[2]s "$@"
`
)
