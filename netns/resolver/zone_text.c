/* dns.txt, line by line. Two ways to write a record:
 *
 *   name TYPE rest                    Sipplauncher's; rest is one argument, or a list: [10, "mx.example.com"]
 *   name [ttl] [IN] TYPE rdata        a zone file's
 *
 * Where they are the same, so is their meaning: a rest that is no list is read as a zone file's rdata. There
 * are two exceptions, TXT without quotes (all of it is one string, blanks included) and MX with a name alone
 * (its preference is 10). ldns makes the bytes of the records; it lets numbers that are too large wrap
 * around, so that they are looked at before. */
#include "netns/resolver/zone.h"

#include <ldns/ldns.h>
#include <stdlib.h>
#include <string.h>

#include "netns/resolver/literal.h"
#include "src/base/memory.h"
#include "src/base/text.h"

#define TTL         300
#define TTL_OF_ZONE 86400 /* of NS and SOA */
#define BLANKS      " \t"

/* Fields: 1, 2, 4 a number of that many bytes; p a number or a period (1h); n a name or another word;
 * d digits: a time or a number; t a type, as a name or number; s a string in quotes. A field behind '?' has a
 * default. */
static const struct type {
    const char *name;
    uint16_t number;
    const char *fields; /* NULL: any number of strings */
    uint32_t ttl;
} types[] = {
    {"A", LDNS_RR_TYPE_A, "n", TTL},
    {"AAAA", LDNS_RR_TYPE_AAAA, "n", TTL},
    {"CAA", LDNS_RR_TYPE_CAA, "1ns", TTL},
    {"CNAME", LDNS_RR_TYPE_CNAME, "n", TTL},
    {"DNSKEY", LDNS_RR_TYPE_DNSKEY, "211n", TTL},
    {"MX", LDNS_RR_TYPE_MX, "2n", TTL},
    {"NAPTR", LDNS_RR_TYPE_NAPTR, "22sss?n", TTL},
    {"NS", LDNS_RR_TYPE_NS, "n", TTL_OF_ZONE},
    {"PTR", LDNS_RR_TYPE_PTR, "n", TTL},
    {"RRSIG", LDNS_RR_TYPE_RRSIG, "t114dd2nn", TTL},
    {"SOA", LDNS_RR_TYPE_SOA, "nn?4?p?p?p?p", TTL_OF_ZONE},
    {"SPF", LDNS_RR_TYPE_SPF, NULL, TTL},
    {"SRV", LDNS_RR_TYPE_SRV, "222n", TTL},
    {"TXT", LDNS_RR_TYPE_TXT, NULL, TTL},
};

static const struct type *find_type(const char *name)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcasecmp(types[i].name, name) == 0)
            return &types[i];
    return NULL;
}

uint16_t zone_type_by_name(const char *name)
{
    const struct type *type = find_type(name);

    return type ? type->number : 0;
}

static int bad(struct error **ret, const char *what, const char *word)
{
    cleanup_free char *printable = text_start(word, strlen(word), 60);

    return error_set(ret, ERROR_INPUT, "%s: %s", what, printable);
}

/* ---- strings ---- */

/* rdata of TXT: the string in pieces of at most 255 bytes. */
static void add_text(struct buffer *data, const char *bytes, size_t length)
{
    do {
        uint8_t piece = length > 255 ? 255 : (uint8_t)length;

        buffer_add(data, &piece, 1);
        buffer_add(data, bytes, piece);
        bytes += piece;
        length -= piece;
    } while (length);
}

/* "…" of a zone file, from the first quote on, with \" \\ and \ddd; NULL: it has no end. */
static const char *take_quoted(const char *at, struct literals *literals)
{
    cleanup_buffer struct buffer out = {0};

    for (at++; *at && *at != '"'; at++) {
        if (*at == '\\' && strspn(at + 1, "0123456789") >= 3) {
            int value = (at[1] - '0') * 100 + (at[2] - '0') * 10 + at[3] - '0';

            if (value > UINT8_MAX)
                return NULL;
            buffer_add(&out, &(uint8_t){(uint8_t)value}, 1);
            at += 3;
            continue;
        }
        if (*at == '\\' && at[1])
            at++;
        buffer_add(&out, at, 1);
    }
    if (!*at)
        return NULL;
    literals_add(literals, true, out.data ? (const char *)out.data : "", out.length);
    return at + 1;
}

static int take_texts(const char *rest, bool of_zone_file, struct literals *literals, struct error **ret)
{
    const char *at = rest;

    if (*rest != '"' && !of_zone_file) {
        literals_add(literals, true, rest, strlen(rest));
        return 0;
    }
    while (*at && *at != ';') {
        const char *end = *at == '"' ? take_quoted(at, literals) : at + strcspn(at, BLANKS);

        if (!end || (*end && !strchr(BLANKS, *end)))
            return bad(ret, "not a whole string", at);
        if (*at != '"')
            literals_add(literals, true, at, (size_t)(end - at));
        at = end + strspn(end, BLANKS);
    }
    return literals->count ? 0 : error_set(ret, ERROR_INPUT, "a TXT record needs a string");
}

/* ---- from a list to a zone file's rdata ---- */

static void add_quoted(struct buffer *line, const struct literal *literal)
{
    buffer_addf(line, " \"");
    for (size_t i = 0; i < literal->length; i++) {
        unsigned char c = (unsigned char)literal->bytes[i];

        if (c == '"' || c == '\\')
            buffer_addf(line, "\\%c", c);
        else if (c < ' ' || c > '~')
            buffer_addf(line, "\\%03u", c);
        else
            buffer_add(line, &c, 1);
    }
    buffer_addf(line, "\"");
}

static int add_word(struct buffer *line, const struct literal *literal, struct error **ret)
{
    if (strlen(literal->bytes) != literal->length || strpbrk(literal->bytes, " \t\r\n\v\f\"();@"))
        return bad(ret, "neither a name nor a number", literal->bytes);
    buffer_addf(line, " %s", *literal->bytes ? literal->bytes : ".");
    return 0;
}

static int add_field(struct buffer *line, char field, const struct literal *literal, struct error **ret)
{
    if (field == 's') {
        add_quoted(line, literal);
        return 0;
    }
    if (field == 't' && !literal->text) {
        buffer_addf(line, " TYPE%s", literal->bytes);
        return 0;
    }
    return add_word(line, literal, ret);
}

static int write_list(const struct type *type, const struct literals *literals, struct buffer *line,
                      struct error **ret)
{
    size_t next = 0;

    for (const char *field = type->fields; *field; field++) {
        bool optional = *field == '?';

        if (optional)
            field++;
        if (next == literals->count && optional)
            buffer_addf(line, *field == 'n' ? " ." : " 0");
        else if (next == literals->count)
            return error_set(ret, ERROR_INPUT, "the list has %zu elements, which are too few", next);
        else if (add_field(line, *field, &literals->list[next++], ret) < 0)
            return -1;
    }
    if (next < literals->count)
        return error_set(ret, ERROR_INPUT, "the list has %zu elements, which are too many", literals->count);
    return 0;
}

/* Sipplauncher's argument order for MX is name, preference, and the preference has a default. */
static void order_mx(struct literals *literals)
{
    struct literal first;

    if (literals->count == 1)
        literals_add(literals, false, "10", 2);
    if (literals->count != 2 || !literals->list[0].text || literals->list[1].text)
        return;
    first = literals->list[0];
    literals->list[0] = literals->list[1];
    literals->list[1] = first;
}

/* ---- records ---- */

/* The numbers in front; fields with blanks in them come later in all types. */
static int check_numbers(const struct type *type, const char *rdata, struct error **ret)
{
    cleanup_free char *copy = text_copy(rdata);
    char *rest = copy, *word;

    if (*rdata == '\\')
        return bad(ret, "RFC 3597's bytes are not read", rdata);
    for (const char *field = type->fields; *field; field++) {
        long most = *field == '1' ? UINT8_MAX : *field == '2' ? UINT16_MAX : UINT32_MAX, ignored;

        if (*field == '?')
            continue;
        if (*field == 's')
            break;
        do
            word = strsep(&rest, BLANKS);
        while (word && !*word);
        if (!word)
            break; /* ldns says what is missing */
        if (strchr("124", *field) && !text_number(word, 0, most, &ignored))
            return bad(ret, "not a number that fits", word);
    }
    return 0;
}

static int take_rdata(ldns_rr *rr, struct buffer *data, struct error **ret)
{
    for (size_t i = 0; i < ldns_rr_rd_count(rr); i++) {
        const ldns_rdf *rdf = ldns_rr_rdf(rr, i);

        buffer_add(data, ldns_rdf_data(rdf), ldns_rdf_size(rdf));
    }
    return data->length <= UINT16_MAX ? 0 : error_set(ret, ERROR_INPUT, "the record is too long");
}

static int encode(const struct type *type, const char *rdata, struct buffer *data, struct error **ret)
{
    cleanup_free char *line = text_format(". 0 IN %s %s", type->name, rdata);
    ldns_rdf *root = ldns_dname_new_frm_str(".");
    ldns_rr *rr = NULL;
    ldns_status status;
    int result;

    if (check_numbers(type, rdata, ret) < 0) {
        ldns_rdf_deep_free(root);
        return -1;
    }
    status = ldns_rr_new_frm_str(&rr, line, 0, root, NULL);
    ldns_rdf_deep_free(root);
    if (status != LDNS_STATUS_OK)
        return error_set(ret, ERROR_INPUT, "not a record of type %s (%s)", type->name,
                         ldns_get_errorstr_by_id(status));
    result = take_rdata(rr, data, ret);
    ldns_rr_free(rr);
    return result;
}

static int encode_texts(const struct literals *literals, struct buffer *data, struct error **ret)
{
    for (size_t i = 0; i < literals->count; i++)
        add_text(data, literals->list[i].bytes, literals->list[i].length);
    if (data->length == 0)
        return error_set(ret, ERROR_INPUT, "a TXT record needs a string");
    return data->length <= UINT16_MAX ? 0 : error_set(ret, ERROR_INPUT, "the record is too long");
}

static int encode_rest(const struct type *type, const char *rest, bool of_zone_file, struct buffer *data,
                       struct error **ret)
{
    cleanup_literals struct literals literals = {0};
    cleanup_buffer struct buffer line = {0};
    bool list = *rest == '[' && !of_zone_file;

    if (!*rest)
        return error_set(ret, ERROR_INPUT, "the record has no data");
    if (list && literals_parse(rest, &literals, ret) < 0)
        return -1;
    if (!type->fields) {
        if (!list && take_texts(rest, of_zone_file, &literals, ret) < 0)
            return -1;
        return encode_texts(&literals, data, ret);
    }
    if (type->number == LDNS_RR_TYPE_MX && !list && !of_zone_file && !strpbrk(rest, BLANKS)) {
        list = true;
        literals_add(&literals, true, rest, strlen(rest));
    }
    if (!list)
        return encode(type, rest, data, ret);
    if (type->number == LDNS_RR_TYPE_MX)
        order_mx(&literals);
    if (write_list(type, &literals, &line, ret) < 0)
        return -1;
    buffer_add(&line, "", 1);
    return encode(type, (const char *)line.data + 1, data, ret);
}

/* ---- lines ---- */

static char *next_word(char **rest)
{
    char *word;

    *rest += strspn(*rest, BLANKS);
    word = *rest;
    *rest += strcspn(*rest, BLANKS);
    if (**rest)
        *(*rest)++ = '\0';
    return word;
}

static bool take_ttl(const char *word, uint32_t *ret)
{
    long value;

    if (!text_number(word, 0, INT32_MAX, &value)) /* RFC 2181, 8 */
        return false;
    *ret = (uint32_t)value;
    return true;
}

static int add_record(struct zone *zone, const char *owner, const struct zone_record *record,
                      struct error **ret)
{
    ldns_rdf *name = NULL;
    uint8_t bytes[ZONE_NAME_MOST];
    size_t length;

    if (ldns_str2rdf_dname(&name, owner) != LDNS_STATUS_OK)
        return bad(ret, "not a name", owner);
    length = ldns_rdf_size(name);
    if (length > sizeof bytes) {
        ldns_rdf_deep_free(name);
        return bad(ret, "not a name", owner);
    }
    memcpy(bytes, ldns_rdf_data(name), length);
    ldns_rdf_deep_free(name);
    zone_fold(bytes, length);
    zone_add(zone, bytes, length, record);
    return 0;
}

/* One line, which is taken apart in place. */
static int read_line(struct zone *zone, char *line, struct error **ret)
{
    cleanup_buffer struct buffer data = {0};
    const char *owner = next_word(&line), *word = next_word(&line);
    const struct type *type;
    bool of_zone_file = false, has_ttl = false;
    uint32_t ttl = 0;

    for (;; word = next_word(&line)) { /* TTL and class, in either order */
        if (!has_ttl && take_ttl(word, &ttl))
            has_ttl = true;
        else if (strcasecmp(word, "IN") != 0)
            break;
        of_zone_file = true;
    }
    if (!*word)
        return bad(ret, "no type behind the name", owner);
    type = find_type(word);
    if (!type)
        return bad(ret, "no type of record that dns.txt may have", word);
    line += strspn(line, BLANKS);
    if (encode_rest(type, line, of_zone_file, &data, ret) < 0)
        return -1;
    return add_record(zone, owner,
                      &(struct zone_record){.type = type->number,
                                            .length = (uint16_t)data.length,
                                            .ttl = has_ttl ? ttl : type->ttl,
                                            .data = data.data},
                      ret);
}

static void cut_end(char *line)
{
    size_t length = strlen(line);

    while (length && strchr(BLANKS "\r", line[length - 1]))
        line[--length] = '\0';
}

struct zone *zone_parse(const char *text, struct error **ret)
{
    cleanup_free char *copy = text_copy(text);
    struct zone *zone = zone_new();
    char *rest = copy, *line;

    for (unsigned number = 1; (line = strsep(&rest, "\n")); number++) {
        line += strspn(line, BLANKS);
        cut_end(line);
        if (!*line || *line == '#' || *line == ';')
            continue;
        if (read_line(zone, line, ret) < 0) {
            error_prefix(ret, ZONE_FILE ":%u", number);
            zone_free(zone);
            return NULL;
        }
    }
    return zone;
}
