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
		text, err = manual(app)
		return text, true, err
	case args[0] == "--completion" && len(args) == 2:
		app.Setup()
		text, err = completion(app, args[1])
		return text, true, err
	}
	return "", false, nil
}

// manual returns the manual page of app.
func manual(app *cli.App) (string, error) {
	app.Setup()
	synopsis := "[options] " + app.ArgsUsage
	if len(app.Commands) > 0 {
		synopsis = "[options] command [command options] [arguments...]"
	}
	for _, command := range app.Commands {
		// cli has no place for these in a manual page.
		command.UsageText = strings.Join(strings.Fields(app.Name+" "+command.Name+" [options] "+command.ArgsUsage), " ")
		command.Usage = strings.TrimSpace(command.Usage + "\n\n" + command.Description)
	}
	text, err := app.ToManWithSection(1)
	// cli writes its own synopsis, as if every program had commands.
	words := regexp.MustCompile(`\[GLOBAL OPTIONS\] command.*`)
	return words.ReplaceAllLiteralString(text, strings.TrimSpace(synopsis)), err
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
	var commands []string
	for _, command := range app.VisibleCommands() {
		commands = append(commands, command.Name)
	}
	switch shell {
	case "bash":
		return fmt.Sprintf(bashCompletion, app.Name, function, strings.Join(commands, "|")), nil
	case "zsh":
		return fmt.Sprintf(zshCompletion, app.Name, function, strings.Join(commands, "|")), nil
	case "fish":
		return app.ToFishCompletion()
	}
	return "", Usage("completion: no script for %q (bash, zsh and fish have one)", shell)
}

// The program itself lists what can stand next; see the bash completion part
// of the urfave/cli v2 manual. It is told the command, where one was typed, and
// the word to be completed: more of the line could make it run.
const (
	bashCompletion = `# bash completion for %[1]s
%[2]s() {
	local word=${COMP_WORDS[COMP_CWORD]} command=
	if [[ $COMP_CWORD -gt 1 && ${COMP_WORDS[1]} =~ ^(%[3]s)$ ]]; then command=${COMP_WORDS[1]}; fi
	mapfile -t COMPREPLY < <(compgen -W "$("${COMP_WORDS[0]}" ${command:+"$command"} ${word:+"$word"} --generate-bash-completion 2>/dev/null)" -- "$word")
}
complete -o bashdefault -o default -F %[2]s %[1]s
`
	zshCompletion = `#compdef %[1]s
%[2]s() {
	local word=${words[CURRENT]} command=
	if [[ $CURRENT -gt 2 && ${words[2]} =~ '^(%[3]s)$' ]]; then command=${words[2]}; fi
	local -a options
	options=("${(@f)$(${words[1]} ${command:+"$command"} ${word:+"$word"} --generate-bash-completion 2>/dev/null)}")
	_describe 'options' options
	_files
}
%[2]s "$@"
`
)
