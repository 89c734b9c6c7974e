/* SPDX-License-Identifier: MIT */
#include "report.h"

#include "attack_run.h"

#include <string.h>
#include <sys/utsname.h>

/*
 * One page in two languages: what differs between them is in a table of their
 * own, so that there is one text.
 */

struct language {
	const char *begin, *end;
	const char *title_begin, *title_end;
	const char *section_begin, *section_end;
	const char *code_begin, *code_end;
	const char *row_begin, *head, *cell, *row_end;
	const char *table_begin, *table_rule, *table_end;
	const char *paragraph;
	void (*escape)(FILE *file, const char *text);
};

static void
escape_html(FILE *file, const char *text)
{
	for (; *text != '\0'; text++) {
		switch (*text) {
		case '<':
			fputs("&lt;", file);
			break;
		case '>':
			fputs("&gt;", file);
			break;
		case '&':
			fputs("&amp;", file);
			break;
		default:
			putc(*text, file);
		}
	}
}

/* For cells: a line, without what would end it. */
static void
escape_markdown(FILE *file, const char *text)
{
	for (; *text != '\0'; text++) {
		if (strchr("|<>*_`\\", *text) != NULL)
			putc('\\', file);
		putc(*text == '\n' ? ' ' : *text, file);
	}
}

static const struct language html = {
	.begin = "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
		"<title>shmguard-siege</title>\n<style>\n"
		"body { font: 15px/1.5 sans-serif; margin: 2em; max-width: 75em; }\n"
		"table { border-collapse: collapse; }\n"
		"td, th { border-bottom: 1px solid #ccc; padding: 2px 10px; "
		"text-align: left; vertical-align: top; }\n"
		"pre { background: #f4f4f4; padding: 8px; overflow: auto; }\n"
		"</style>\n",
	.end = "</html>\n",
	.title_begin = "<h1>",
	.title_end = "</h1>\n",
	.section_begin = "<h2>",
	.section_end = "</h2>\n",
	.code_begin = "<pre>",
	.code_end = "</pre>\n",
	.table_begin = "<table>\n",
	.row_begin = "<tr>",
	.head = "<th>",
	.cell = "<td>",
	.row_end = "</tr>\n",
	.table_rule = "",
	.table_end = "</table>\n",
	.paragraph = "<p>",
	.escape = escape_html,
};

static const struct language markdown = {
	.begin = "",
	.end = "",
	.title_begin = "# ",
	.title_end = "\n\n",
	.section_begin = "\n## ",
	.section_end = "\n\n",
	.code_begin = "\n```\n",
	.code_end = "\n```\n",
	.table_begin = "\n",
	.row_begin = "",
	.head = "| ",
	.cell = " | ",
	.row_end = " |\n",
	.table_rule = "|---",
	.table_end = "",
	.paragraph = "\n",
	.escape = escape_markdown,
};

static void
write_code(FILE *file, const struct language *language, const char *text)
{
	if (text[0] == '\0')
		return;
	fputs(language->code_begin, file);
	/* Between Markdown's fences everything stands for itself. */
	if (language == &markdown)
		fputs(text, file);
	else
		language->escape(file, text);
	fputs(language->code_end, file);
}

static void
write_paragraph(FILE *file, const struct language *language,
	const char *label, const char *text)
{
	fprintf(file, "%s%s: ", language->paragraph, label);
	language->escape(file, text);
	fputs("\n", file);
}

static void
write_head(FILE *file, const struct language *language,
	const struct siege *siege)
{
	const struct options *options = siege->options;
	char date[32], line[256];
	struct utsname system;
	strftime(date, sizeof(date), "%F", gmtime(&siege->started));
	uname(&system);
	fprintf(file, "%s%sshmguard-siege: %s%s", language->begin,
		language->title_begin, siege_summary(siege),
		language->title_end);
	write_code(file, language, options->target.command != NULL ?
		options->target.command : options->target.display);
	snprintf(line, sizeof(line), "shmguard-siege " VERSION
		", %s, Linux %s %s, %.0f s", date, system.release,
		system.machine, siege->seconds);
	write_paragraph(file, language, "Measured with", line);
}

static void
write_row(FILE *file, const struct language *language,
	const struct siege *siege, unsigned int attack)
{
	const struct result *worst = NULL;
	bool is_markdown = language == &markdown;
	fprintf(file, "%s%s", language->row_begin,
		is_markdown ? "| " : language->cell);
	language->escape(file, attack_at(attack)->name);
	for (unsigned int i = 0; i < siege_states(siege); i++) {
		const struct result *result = siege_worst(siege, attack,
			siege_state(siege, i));
		fputs(language->cell, file);
		language->escape(file, result != NULL ? result->word : "-");
		if (worst == NULL || (result != NULL &&
				result->verdict > worst->verdict))
			worst = result;
	}
	fputs(language->cell, file);
	language->escape(file, worst != NULL ? worst->text : "");
	fputs(language->row_end, file);
}

static void
write_table(FILE *file, const struct language *language,
	const struct siege *siege)
{
	bool is_markdown = language == &markdown;
	unsigned int states = siege_states(siege);
	fprintf(file, "%s%s%sattack", language->table_begin,
		language->row_begin, language->head);
	for (unsigned int i = 0; i < states; i++)
		fprintf(file, "%s%s", is_markdown ? language->cell :
			language->head, state_word(siege_state(siege, i)));
	fprintf(file, "%swhat came of it%s", is_markdown ? language->cell :
		language->head, language->row_end);
	for (unsigned int i = 0; is_markdown && i < states + 2; i++)
		fputs(language->table_rule, file);
	fputs(is_markdown ? "|\n" : "", file);
	for (unsigned int i = 0; i < siege->options->n_attacks; i++)
		write_row(file, language, siege, siege->options->attacks[i]);
	fputs(language->table_end, file);
}

/* What somebody needs who wants to mend it. */
static void
write_failure(FILE *file, const struct language *language,
	const struct result *result)
{
	const struct attack *attack = attack_at(result->attack);
	fprintf(file, "%s%s (%s): %s%s", language->section_begin, attack->name,
		state_word(result->state), result->word, language->section_end);
	write_paragraph(file, language, "The client", attack->about);
	write_paragraph(file, language, "A correct compositor",
		attack->expected);
	write_paragraph(file, language, "Rule", attack->rule);
	write_paragraph(file, language, "Seen", result->text);
	write_code(file, language, result->backtrace);
	write_code(file, language, result->log);
}

bool
page_write(const struct siege *siege, const char *path)
{
	const char *suffix = strrchr(path, '.');
	const struct language *language = suffix != NULL &&
		(strcmp(suffix, ".html") == 0 || strcmp(suffix, ".htm") == 0) ?
		&html : &markdown;
	FILE *file = fopen(path, "we");
	if (file == NULL)
		return false;
	write_head(file, language, siege);
	write_table(file, language, siege);
	for (unsigned int i = 0; i < siege->options->n_attacks *
			siege_states(siege); i++) {
		const struct result *result = siege_worst(siege,
			siege->options->attacks[i / siege_states(siege)],
			siege_state(siege, i % siege_states(siege)));
		if (result != NULL && verdict_is_failure(result->verdict,
				siege->options->strict))
			write_failure(file, language, result);
	}
	fputs(language->end, file);
	bool written = ferror(file) == 0;
	return fclose(file) == 0 && written;
}
