{{ staged_copies('group') }}
