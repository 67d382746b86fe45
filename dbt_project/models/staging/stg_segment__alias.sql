{{ staged_copies('alias') }}
