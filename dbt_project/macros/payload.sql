{#
    From JSON to values. What differs by engine is dispatched; the rest is built on it.
#}

{% macro read_paths(fields, json='payload') %}
    {#
        How a document is read: all paths at once as one typed struct, however many they are, and
        those that stand apart at once as a list.

        parsed:      the select expressions for it, as `fields` and `others`
        expressions: path -> where its value is then
    #}
    {% do return(adapter.dispatch('read_paths')(fields, json)) %}
{% endmacro %}

{% macro duckdb__read_paths(fields, json) %}
    {% set json = without_nul(json) %}
    {% set together = {} %}
    {% set apart = {} %}
    {% set expressions = {} %}
    {% for field in fields if field.read_as %}
        {# the element itself, in an array of scalars #}
        {% if not field['keys'] %}
            {% do expressions.update({field.path: json}) %}
        {% elif not field.is_apart %}
            {% do together.setdefault(field.path, [field['keys'], field.read_as]) %}
            {% do expressions.update({
                field.path: duckdb__struct_field('fields', field['keys'], field.read_as)
            }) %}
        {% elif field.path not in apart %}
            {% do apart.update({field.path: field['keys']}) %}
            {% do expressions.update({field.path: 'others[' ~ apart | length ~ ']'}) %}
        {% endif %}
    {% endfor %}
    {% set parsed = [] %}
    {% if together %}
        {% do parsed.append(duckdb__json_to_struct(json, together.values()) ~ ' as fields') %}
    {% endif %}
    {% if apart %}
        {% do parsed.append(duckdb__json_to_list(json, apart.values()) ~ ' as others') %}
    {% endif %}
    {% do return({'parsed': parsed, 'expressions': expressions}) %}
{% endmacro %}


{% macro without_nul(json) %}
    {#
        A document in which no string and no key has a NUL: each is the character for what cannot
        be shown. DuckLake writes what a query looks for, a user's too, into SQL of its own, and a
        NUL would end that. The payload in `raw` keeps it, as `\u0000`.
    #}
    {% do return(adapter.dispatch('without_nul')(json)) %}
{% endmacro %}

{% macro duckdb__without_nul(json) %}
    {# an escaped backslash in front of `u0000` is none of it: set aside, as no JSON has a chr(1) #}
    {% set text = 'cast(' ~ json ~ ' as varchar)' %}
    {% set apart = "replace(" ~ text ~ ", '\\\\', chr(1))" %}
    {% set cleaned = "replace(" ~ apart ~ ", '\\u0000', '\\ufffd')" %}
    {% do return(
        "case when contains(" ~ text ~ ", '\\u0000') "
        ~ "then cast(replace(" ~ cleaned ~ ", chr(1), '\\\\') as json) else " ~ json ~ " end"
    ) %}
{% endmacro %}


{% macro blank_as_null(text) %}
    {# An id of nothing but white space and what cannot be seen is nobody's. #}
    {% do return(adapter.dispatch('blank_as_null')(text)) %}
{% endmacro %}

{% macro duckdb__blank_as_null(text) %}
    {# \s and \p{Z} are spaces, \p{Cc} and \p{Cf} controls and marks; U+FFFD stood for a NUL #}
    {% set blank = "'[\\s\\p{Z}\\p{Cc}\\p{Cf}\\x{FFFD}]*'" %}
    {% set is_blank = 'regexp_full_match(' ~ text ~ ', ' ~ blank ~ ')' %}
    {% do return('case when not ' ~ is_blank ~ ' then ' ~ text ~ ' end') %}
{% endmacro %}


{% macro row_as_json(row) %}
    {% do return(adapter.dispatch('row_as_json')(row)) %}
{% endmacro %}

{% macro duckdb__row_as_json(row) %}
    {% do return('cast(to_json(' ~ row ~ ') as varchar)') %}
{% endmacro %}


{% macro sql_string(text) %}
    {% do return("'" ~ text | replace("'", "''") ~ "'") %}
{% endmacro %}


{% macro duckdb__json_to_struct(json, fields) %}
    {#
        Reads the whole document once, however many fields are asked for, each as [keys, type].
        A value that does not fit its type is null, and so is everything below it.
    #}
    {# the tree of all keys, with a type at each leaf, as json_transform wants it #}
    {% set structure = {} %}
    {% for keys, type in fields %}
        {% set level = namespace(of=structure) %}
        {% for key in keys[:-1] %}
            {% set level.of = level.of.setdefault(key, {}) %}
        {% endfor %}
        {% do level.of.update({keys[-1]: type}) %}
    {% endfor %}
    {# try(): text that is no JSON at all is a row of nulls, not the end of the run #}
    {% do return("try(json_transform(" ~ json ~ ", " ~ sql_string(tojson(structure)) ~ "))") %}
{% endmacro %}


{% macro duckdb__struct_field(struct, keys, type) %}
    {% set quoted = [] %}
    {% for key in keys %}
        {% do quoted.append('"' ~ key | replace('"', '""') ~ '"') %}
    {% endfor %}
    {% set value = struct ~ '.' ~ quoted | join('.') %}
    {% if type == 'double' %}
        {# the text "NaN" fits a double, but sums and averages would not survive it #}
        {% set value = 'case when isfinite(' ~ value ~ ') then ' ~ value ~ ' end' %}
    {% endif %}
    {% do return(value) %}
{% endmacro %}


{% macro duckdb__json_to_list(json, paths) %}
    {# Some values of a document as JSON, in a list from 1. #}
    {# JSON pointers, as a key in them may be anything #}
    {% set pointers = [] %}
    {% for keys in paths %}
        {% set escaped = [] %}
        {% for key in keys %}
            {% do escaped.append('/' ~ key | replace('~', '~0') | replace('/', '~1')) %}
        {% endfor %}
        {% do pointers.append(sql_string(escaped | join(''))) %}
    {% endfor %}
    {% do return('json_extract(' ~ json ~ ', [' ~ pointers | join(', ') ~ '])') %}
{% endmacro %}


{% macro json_as_column(json) %}
    {# A value as it stands in a column for JSON. #}
    {% do return(adapter.dispatch('json_as_column')(json)) %}
{% endmacro %}

{% macro default__json_as_column(json) %}
    {% do return(json) %}
{% endmacro %}


{% macro json_text(json) %}
    {# Any value as text: a string's own, all else as JSON writes it. #}
    {% do return(adapter.dispatch('json_text')(json)) %}
{% endmacro %}

{% macro duckdb__json_text(json) %}
    {% do return("(" ~ json ~ " ->> '$')") %}
{% endmacro %}


{% macro json_value_of(json, type, column_type) %}
    {#
        The value if it is of a type, else null. Types are those of raw.field: an integer of more
        than 64 bits is a string, so that it keeps its digits, and one that a double does not hold
        is a long. Where fractions are, whole numbers that came in an array with some are too.
    #}
    {% do return(adapter.dispatch('json_value_of')(json, type, column_type)) %}
{% endmacro %}

{% macro duckdb__json_value_of(json, type, column_type) %}
    {% set text = json_text(json) %}
    {% set kind = 'json_type(' ~ json ~ ')' %}
    {% if type == 'string' %}
        {% set is_of_type = "(" ~ kind ~ " = 'VARCHAR' or (" ~ kind ~ " in ('UBIGINT', 'DOUBLE')"
            ~ " and regexp_full_match(" ~ text ~ ", '-?[0-9]{19,}')"
            ~ " and try_cast(" ~ text ~ " as bigint) is null))"
        %}
    {% elif type in ['bigint', 'long'] %}
        {% set is_of_type = kind ~ " in ('UBIGINT', 'BIGINT')" %}
        {% if column_type != 'bigint' %}
            {% set is_of_type = is_of_type ~ ' and ' ~ 'not ' * (type == 'long')
                ~ is_held_by_double(text)
            %}
        {% endif %}
    {% elif type == 'double' %}
        {% set is_of_type = "(" ~ kind ~ " = 'DOUBLE' and not regexp_full_match("
            ~ text ~ ", '-?[0-9]{19,}') or " ~ kind ~ " in ('UBIGINT', 'BIGINT') and "
            ~ is_held_by_double(text) ~ ")"
        %}
    {% elif type == 'boolean' %}
        {% set is_of_type = kind ~ " = 'BOOLEAN'" %}
    {% elif type == 'array' %}
        {% set is_of_type = kind ~ " = 'ARRAY'" %}
    {% elif type == 'map' %}
        {% set is_of_type = "(" ~ kind ~ " = 'OBJECT' and len(list_filter(json_keys(" ~ json
            ~ "), lambda key: regexp_full_match(key, '" ~ id_like() ~ "', 's'))) > 0)"
        %}
    {% else %}
        {% set is_of_type = kind ~ " = 'OBJECT'" %}
    {% endif %}
    {% if column_type in ['json', 'varchar'] %}
        {% set value = json if column_type == 'json' else text %}
    {% else %}
        {% set value = 'try_cast(' ~ text ~ ' as ' ~ column_type ~ ')' %}
    {% endif %}
    {% do return('case when ' ~ is_of_type ~ ' then ' ~ value ~ ' end') %}
{% endmacro %}


{% macro is_held_by_double(text, whole='bigint') %}
    {# Whether a text is a whole number within a type that a double holds with all its digits. #}
    {% do return(adapter.dispatch('is_held_by_double')(text, whole)) %}
{% endmacro %}

{% macro duckdb__is_held_by_double(text, whole) %}
    {% set number = 'try_cast(' ~ text ~ ' as ' ~ whole ~ ')' %}
    {% do return(
        'coalesce(try_cast(cast(' ~ number ~ ' as double) as hugeint) = ' ~ number ~ ', false)'
    ) %}
{% endmacro %}


{% macro number_as_text(column) %}
    {# A double as text: a whole number without a fraction, as most senders write it. #}
    {% do return(adapter.dispatch('number_as_text')(column)) %}
{% endmacro %}

{% macro duckdb__number_as_text(column) %}
    {% set whole = 'try_cast(' ~ column ~ ' as bigint)' %}
    {% do return(
        'cast(if(' ~ whole ~ ' = ' ~ column ~ ', cast(' ~ whole ~ ' as varchar), cast(' ~ column
        ~ ' as varchar)) as varchar)'
    ) %}
{% endmacro %}


{% macro json_read_as(json, type) %}
    {# A scalar, whatever its type, as a column's type if it can be read as that without loss. #}
    {% do return(adapter.dispatch('json_read_as')(json, type)) %}
{% endmacro %}

{% macro duckdb__json_read_as(json, type) %}
    {% set text = json_text(json) %}
    {% set kind = 'json_type(' ~ json ~ ')' %}
    {% set is_readable = kind ~ " not in ('ARRAY', 'OBJECT')" %}
    {% if type == 'varchar' %}
        {% set value = text %}
    {% elif type == 'timestamp' %}
        {% set is_readable = kind ~ " = 'VARCHAR'" %}
        {% set value = utc_timestamp(text) %}
    {% else %}
        {% set value = 'try_cast(' ~ text ~ ' as ' ~ type ~ ')' %}
        {% if type == 'boolean' %}
            {% set is_readable = kind ~ " in ('BOOLEAN', 'VARCHAR')" %}
        {% elif type == 'bigint' %}
            {# a cast would round 1.5 to 2: only what is a whole number is read as one #}
            {% set is_readable = "regexp_full_match(" ~ text ~ ", '-?[0-9]+([.]0+)?')" %}
        {% else %}
            {% set is_readable = kind ~ " <> 'BOOLEAN' and isfinite(" ~ value ~ ") and (not "
                ~ "regexp_full_match(" ~ text ~ ", '-?[0-9]{16,}') or "
                ~ is_held_by_double(text, 'hugeint') ~ ")"
            %}
        {% endif %}
    {% endif %}
    {% do return('case when ' ~ is_readable ~ ' then ' ~ value ~ ' end') %}
{% endmacro %}


{% macro hashed(text, call) %}
    {# What stands in the place of a value that columns.yml has hashed. #}
    {% do return(adapter.dispatch('hashed')(text, call)) %}
{% endmacro %}

{% macro duckdb__hashed(text, call) %}
    {# of the rules that the table is built by, not of those that wait for a full refresh of it #}
    {% set salt = '' %}
    {% if execute %}
        {% set query %}
            select coalesce(coming, rules) from {{ columns_table('rules') }} where call = '{{ call }}'
        {% endset %}
        {% set salt = fromjson(run_query(query).rows[0][0]).hash_salt %}
    {% endif %}
    {% do return('sha256(' ~ sql_string(salt) ~ ' || ' ~ text ~ ')') %}
{% endmacro %}


{% macro place_in_list() %}
    {# A key that may be a place in a list with holes, as orchestration/loading/field_paths.py says it. #}
    {% do return('0|[1-9][0-9]{0,5}') %}
{% endmacro %}


{% macro id_like() %}
    {# A key that is an id, as orchestration/loading/field_paths.py says it. #}
    {% set patterns = [
        '[0-9]+',
        '[0-9]{4}-[0-9]{2}(-[0-9]{2}.*)?',
        '[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}',
        '[0-9a-fA-F]{16,}',
        '.*[@\\x00�].*',
        '\\[\\]',
    ] %}
    {% do return(patterns | join('|')) %}
{% endmacro %}
